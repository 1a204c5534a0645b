import { pause } from "@ployz/exec";
import type { Entry, FollowEvent } from "../client/types.ts";
import { PloyzError } from "../error-codes.ts";

export interface Tracked<T> {
  follow(signal: AbortSignal): AsyncIterable<FollowEvent<T>>;
  /** The revision up to which the mirror is complete. */
  have(): number;
  put(entry: Entry<T>): Promise<void>;
  remove(key: string, revision: number): void;
  keys(): readonly string[];
  /** The mirror has applied everything up to this revision. */
  at(revision: number): void;
}

export interface Track {
  /** Resolves when the mirror first catches up. */
  readonly synced: Promise<void>;
  readonly ended: Promise<void>;
}

/** Follows one part of the store into the mirror until the signal aborts. */
export function track<T>(
  what: string,
  tracked: Tracked<T>,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Track {
  let caughtUp = () => {};
  const synced = new Promise<void>((resolve) => {
    caughtUp = resolve;
  });

  const once = async () => {
    // Apply the initial read as one, and only when it is not older than the mirror.
    let picture: Map<string, Entry<T>> | undefined = new Map();
    for await (const event of tracked.follow(signal)) {
      if (event.type === "synced") {
        if (event.revision < tracked.have()) throw behind(what, event.revision, tracked.have());
        for (const key of tracked.keys()) if (!picture?.has(key)) tracked.remove(key, event.revision);
        for (const entry of picture?.values() ?? []) await tracked.put(entry);
        picture = undefined;
        tracked.at(event.revision);
        caughtUp();
      } else if (event.type === "put") {
        if (picture) picture.set(event.entry.key, event.entry);
        else {
          await tracked.put(event.entry);
          tracked.at(event.entry.revision);
        }
      } else if (picture) picture.delete(event.key);
      else {
        tracked.remove(event.key, event.revision);
        tracked.at(event.revision);
      }
    }
  };

  const run = async () => {
    while (!signal.aborted) {
      try {
        await once();
      } catch (error) {
        report(error);
        await pause(2000, signal);
      }
    }
  };
  return { synced, ended: run() };
}

const behind = (what: string, store: number, mirror: number) =>
  new PloyzError({
    code: "store_behind_mirror",
    message: `the store's ${what} end at ${store}, this machine's mirror at ${mirror}: the store has lost data`,
    hint: "the mirror was not overwritten; see `ployzctl store recover --help`",
    details: { what, store, mirror },
  });
