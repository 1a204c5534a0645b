import { setTimeout as delay } from "node:timers/promises";

/** Sources that are in the order of `time` each, as one that is. Reads no further ahead than one item of each. */
export async function* mergedByTime<T>(
  sources: readonly AsyncIterable<T>[],
  time: (item: T) => string,
): AsyncGenerator<T> {
  const readers = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const next = await Promise.all(readers.map((reader) => reader.next()));
    for (;;) {
      let first: number | undefined;
      for (const [i, { done, value }] of next.entries())
        if (done !== true && (first === undefined || time(value) < time(next[first]?.value as T))) first = i;
      if (first === undefined) return;
      yield next[first]?.value as T;
      next[first] = (await readers[first]?.next()) as IteratorResult<T>;
    }
  } finally {
    await Promise.all(readers.map(async (reader) => reader.return?.()));
  }
}

/** Items of live sources, in the order of `time` as far as they arrive within `windowMs` of each other. */
export interface Window<T> extends AsyncIterable<T> {
  /** Resolves when there is room for more: a slow reader holds its sources up. */
  push(item: T): Promise<void>;
}

const MOST = 5_000;

/** Ends when the signal aborts. */
export function timeWindow<T>(windowMs: number, time: (item: T) => string, signal: AbortSignal): Window<T> {
  let held: T[] = [];
  let wake: () => void = () => {};
  let taken: (() => void)[] = [];
  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const abort = () => {
    wake();
    for (const resume of taken.splice(0)) resume();
  };
  return {
    async push(item) {
      held.push(item);
      wake();
      if (held.length >= MOST && !signal.aborted) await new Promise<void>((resolve) => taken.push(resolve));
    },
    async *[Symbol.asyncIterator]() {
      signal.addEventListener("abort", abort, { once: true });
      try {
        while (!signal.aborted) {
          if (held.length === 0) {
            await woken();
            continue;
          }
          if (held.length < MOST) await delay(windowMs, undefined, { signal }).catch(() => {});
          const batch = held;
          held = [];
          const resumed = taken;
          taken = [];
          for (const resume of resumed) resume();
          yield* batch.sort((a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0));
        }
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
