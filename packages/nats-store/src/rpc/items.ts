/** A stream's position, and its wake-up when the reader takes more. */
export interface Progress {
  taken: number;
  sent: number;
  wake?: (() => void) | undefined;
}

/**
 * Sends an iterable's items, at most `window` ahead of the reader. Stops itself and the iterable when the signal aborts.
 */
export async function sendItems<T>(
  items: AsyncIterable<T>,
  progress: Progress,
  options: { readonly window: number; readonly signal: AbortSignal; send(item: T, n: number): void },
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(options.signal.reason);
    options.signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => undefined);
  if (options.signal.aborted) stop();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      while (progress.sent - progress.taken >= options.window) {
        const woken = new Promise<void>((resolve) => {
          progress.wake = resolve;
        });
        await Promise.race([woken, aborted]);
      }
      progress.sent += 1;
      options.send(next.value, progress.sent);
    }
  } finally {
    options.signal.removeEventListener("abort", stop);
    // Not awaited: a producer that is waiting ends through its own signal.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
