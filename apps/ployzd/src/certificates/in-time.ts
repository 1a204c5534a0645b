import type { Records } from "../state/records.ts";

/** Looked at again after this time, whatever timers are worth on a machine that slept. */
const LONGEST_MS = 3_600_000;

/** Work that is due at a time, epoch ms. */
export type Due<T> = { readonly record: T; readonly at: number };

/**
 * Does the work that is due soonest, one after the other, as the mirror tells it. `later`: no try before this time, by name: work that this machine could not do
 * holds up no other. `work` resolves with how long this machine waits before it looks at the same again, in ms. Resolves when the signal aborts.
 */
export async function inTime<T extends { readonly name: string }>(
  { mirror, signal }: { readonly mirror: Pick<Records, "onChange">; readonly signal: AbortSignal },
  soonest: (later: ReadonlyMap<string, number>) => Due<T> | undefined,
  work: (record: T) => Promise<number>,
): Promise<void> {
  const later = new Map<string, number>();
  let wake = () => {};
  const stopListening = mirror.onChange(() => wake());
  const abort = () => wake();
  signal.addEventListener("abort", abort, { once: true });
  try {
    while (!signal.aborted) {
      const next = soonest(later);
      const wait = next === undefined ? LONGEST_MS : next.at - Date.now();
      if (next !== undefined && wait <= 0) {
        const waitMs = await work(next.record);
        later.set(next.record.name, Date.now() + waitMs);
        continue;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(wait, LONGEST_MS));
        timer.unref();
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    signal.removeEventListener("abort", abort);
    stopListening();
  }
}
