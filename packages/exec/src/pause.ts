import { setTimeout as delay } from "node:timers/promises";

/** Waits; ends early, without an error, when `signal` aborts. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  delay(ms, undefined, signal && { signal }).catch(() => undefined);

/** Growing pauses between attempts. */
export interface Backoff {
  /** Waits for the next pause, at most `mostMs`; ends early when `signal` aborts. */
  pause(signal?: AbortSignal, mostMs?: number): Promise<void>;
  /** After a success: starts with the shortest pause again. */
  reset(): void;
}

/** Pauses between tries: the first, then each twice as long as the one before, up to the longest. */
export function createBackoff(firstMs: number, longestMs: number): Backoff {
  let next = firstMs;
  return {
    pause(signal, mostMs = Number.POSITIVE_INFINITY) {
      const ms = Math.min(next, mostMs);
      next = Math.min(next * 2, longestMs);
      return pause(ms, signal);
    },
    reset() {
      next = firstMs;
    },
  };
}
