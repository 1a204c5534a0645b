import { createBackoff } from "@ployz/exec";
import type { Records } from "./records.ts";

export interface FollowDeps {
  readonly mirror: Pick<Records, "onChange">;
  readonly signal: AbortSignal;
  log(error: unknown): void;
}

/**
 * Runs `apply` once at the start and again after each change of the store's records, one at a time, until the signal aborts. Changes that
 * come while it runs count as one. Retries with backoff what fails, and logs it.
 */
export async function followChanges(deps: FollowDeps, apply: () => Promise<void>): Promise<void> {
  const { mirror, signal } = deps;
  let wanted = 1;
  let wake: (() => void) | undefined;
  const stopListening = mirror.onChange((change) => {
    if (change.type === "applied") return;
    wanted += 1;
    wake?.();
  });
  signal.addEventListener("abort", () => wake?.(), { once: true });
  const backoff = createBackoff(500, 30_000);
  for (let done = 0; !signal.aborted; ) {
    if (done === wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const round = wanted;
    try {
      await apply();
      backoff.reset();
      done = round;
    } catch (error) {
      if (signal.aborted) break;
      deps.log(error);
      await backoff.pause(signal).catch(() => undefined);
    }
  }
  stopListening();
}
