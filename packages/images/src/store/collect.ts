import type { Blobs } from "./blobs.ts";

/** A blob, or a part of one, that no image needs. Sizes are bytes. */
export interface Unneeded {
  readonly digest: string;
  readonly size: number;
  /** Of a transfer that has not ended, under the digest that it is to have. */
  readonly part: boolean;
}

/** What a collection has removed. */
export interface Collected {
  readonly freedBytes: number;
  /** Transfers run; what no image needs goes when the last one has ended. */
  readonly deferred: boolean;
}

/** Removes what no image needs, but nothing beside a transfer: what it has stored belongs to no image before its end. */
export interface Collector {
  /** Whatever the task stores or finds is there until it has ended. Collecting waits for it, and it for a collecting. */
  use<T>(task: () => Promise<T>): Promise<T>;
  /** Removes what no image needs and what arrived before a time, in milliseconds since the epoch. */
  collect(beforeMs: number): Promise<Collected>;
}

/** `unneeded`: what to remove, of what arrived before a time. */
export function openCollector(
  blobs: Pick<Blobs, "remove">,
  unneeded: (beforeMs: number) => Promise<readonly Unneeded[]>,
): Collector {
  let users = 0;
  let owed: number | undefined;
  let collecting: Promise<unknown> | undefined;

  async function removeAll(beforeMs: number): Promise<number> {
    const gone = await unneeded(beforeMs);
    for (const { digest, part } of gone) await blobs.remove(digest, part ? "part" : "all");
    return gone.reduce((sum, { size }) => sum + size, 0);
  }

  async function collect(beforeMs: number): Promise<Collected> {
    while (collecting !== undefined) await collecting;
    if (users > 0) {
      owed = Math.max(owed ?? 0, beforeMs);
      return { freedBytes: 0, deferred: true };
    }
    const work = removeAll(beforeMs);
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    collecting = ended;
    try {
      return { freedBytes: await work, deferred: false };
    } finally {
      collecting = undefined;
    }
  }

  return {
    collect,
    async use(task) {
      while (collecting !== undefined) await collecting;
      users += 1;
      try {
        return await task();
      } finally {
        users -= 1;
        const beforeMs = owed;
        if (users === 0 && beforeMs !== undefined) {
          owed = undefined;
          collect(beforeMs).catch(() => {}); // the next one tries again
        }
      }
    },
  };
}
