import type { Clock } from "./clock.ts";
import { isUnavailable } from "./interrupted.ts";

/** Milliseconds before try number `n` (0-based) is repeated: 100, 200, … 2000. */
export const backoffMs = (n: number): number => Math.min(2_000, 100 * 2 ** n);

/** Retries with backoff while the store does not answer: for `rideMs` at most, and not after `lost` aborts. */
export async function rideStore<T>(
  { clock, rideMs, lost }: { readonly clock: Clock; readonly rideMs: number; readonly lost?: AbortSignal },
  attempt: () => Promise<T>,
): Promise<T> {
  const until = clock.now() + rideMs;
  for (let n = 0; ; n++) {
    lost?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isUnavailable(error) || clock.now() >= until) throw error;
      await clock.sleep(backoffMs(n), lost);
    }
  }
}
