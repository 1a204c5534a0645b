/** Hands every published item to every follower, in order. */
export interface Feed<T> {
  publish(item: T): void;
  /** `first` at once, then later publications. Ends when `signal` aborts. */
  follow(first: readonly T[], signal: AbortSignal): AsyncIterable<T>;
}

export function createFeed<T>(): Feed<T> {
  const followers = new Set<(item: T) => void>();
  return {
    publish(item) {
      for (const follower of followers) follower(item);
    },
    async *follow(first, signal) {
      const queue = [...first];
      let wake = () => {};
      const add = (item: T) => {
        queue.push(item);
        wake();
      };
      const end = () => wake();
      followers.add(add);
      signal.addEventListener("abort", end, { once: true });
      try {
        while (!signal.aborted) {
          const item = queue.shift();
          if (item !== undefined) yield item;
          else if (!signal.aborted) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        followers.delete(add);
        signal.removeEventListener("abort", end);
      }
    },
  };
}
