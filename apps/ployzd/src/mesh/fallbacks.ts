import { setTimeout as delay } from "node:timers/promises";
import type { Wireguard } from "@ployz/wireguard";

const LOOK_MS = 10_000;

/** Tries peers that do not answer at their other addresses, until `signal` aborts. */
export async function watchFallbacks(
  wireguard: Pick<Wireguard, "tryFallbacks">,
  signal: AbortSignal,
  log: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    if (!signal.aborted) await wireguard.tryFallbacks().catch(log);
  }
}
