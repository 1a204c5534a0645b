import { setTimeout as delay } from "node:timers/promises";
import { PloyzError } from "./error-codes.ts";

/** Deadline and interval of a wait, in milliseconds. */
export interface WaitOptions {
  readonly timeoutMs: number;
  /** Default 25. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Waits for a condition that emits no event: polls the probe until it yields a value.
 * @throws PloyzError `deadline_exceeded`, which names `what`; the abort reason when `signal` aborts.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  options: WaitOptions,
): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    const left = end - performance.now();
    if (left <= 0) {
      throw new PloyzError({
        code: "deadline_exceeded",
        message: `gave up after ${options.timeoutMs} ms waiting for ${what}`,
      });
    }
    await delay(
      Math.min(options.intervalMs ?? 25, left),
      undefined,
      options.signal ? { signal: options.signal } : {},
    );
  }
}
