import { pause } from "@ployz/exec";
import type { Wireguard } from "@ployz/wireguard";

/** Private addresses come first, and a peer in another network answers on none of them. */
const LOOK_MS = 3_000;

/** Tries the other addresses of peers that do not answer, until `signal` aborts. */
export async function watchFallbacks(
  wireguard: Pick<Wireguard, "tryFallbacks">,
  signal: AbortSignal,
  log: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await pause(LOOK_MS, signal);
    if (!signal.aborted) await wireguard.tryFallbacks().catch(log);
  }
}
