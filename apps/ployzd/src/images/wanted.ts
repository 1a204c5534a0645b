/**
 * After a cleaning has looked for users and before it removes, an operation may ask for the content, and plan with it. So content that is requested after
 * the look began stays, and an operation that asks during the removal waits and then finds it gone. In memory: both happen in this daemon.
 */
export interface Wanted {
  /** The caller uses this from now on. Resolves when it is not just being removed. */
  want(digest: string): Promise<void>;
  watch(): Watch;
}

export interface Watch {
  /** Runs the task, unless an operation has asked for one of these since the watch began. Resolves with whether it ran. */
  unlessWanted(digests: readonly string[], task: () => Promise<void>): Promise<boolean>;
  end(): void;
}

export function openWanted(): Wanted {
  const watches = new Set<Set<string>>();
  const going = new Map<string, Promise<void>>();
  return {
    async want(digest) {
      for (const seen of watches) seen.add(digest);
      await going.get(digest);
    },
    watch() {
      const seen = new Set<string>();
      watches.add(seen);
      return {
        async unlessWanted(digests, task) {
          if (digests.some((digest) => seen.has(digest))) return false;
          const work = task();
          const ended = work.catch(() => {});
          for (const digest of digests) going.set(digest, ended);
          try {
            await work;
            return true;
          } finally {
            for (const digest of digests) going.delete(digest);
          }
        },
        end: () => void watches.delete(seen),
      };
    },
  };
}
