/** A queue with one reader: pushes never wait, the reader does. */
export interface Queue<T> {
  push(value: T): void;
  /** Ends the queue; the reader gets the queued values, then the end, or `error`. */
  end(error?: unknown): void;
  /** The next value; `undefined` at the end. */
  next(): Promise<T | undefined>;
  size(): number;
}

export function queue<T>(): Queue<T> {
  const values: T[] = [];
  let ended = false;
  let failure: unknown;
  let wake: (() => void) | undefined;
  return {
    push(value) {
      if (ended) return;
      values.push(value);
      wake?.();
    },
    end(error) {
      if (ended) return;
      ended = true;
      failure = error;
      wake?.();
    },
    async next() {
      while (values.length === 0) {
        if (ended) {
          if (failure !== undefined) throw failure;
          return undefined;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
      return values.shift();
    },
    size: () => values.length,
  };
}
