import { setTimeout as sleep } from "node:timers/promises";
import { errorBody } from "@ployz/errors";
import type { Restic } from "./restic.ts";

const QUICK = 60_000;
/** restic says nothing while it repacks; its caller takes silence for a loss. */
const SIGN_MS = 30_000;
/** Between two tries of a locked repository, at most; it has no event for the end of a lock. */
const LONGEST_MS = 15_000;
/** A run that deletes may take long, and nothing else runs meanwhile. */
const PATIENCE_MS = 10 * 60_000;

/** Reads all data of the repository, and nothing from the cache. @throws PloyzError `backup_damaged`. */
export const checkAll = (restic: Restic, signal: AbortSignal, sign: () => void): Promise<null> =>
  withSigns(sign, async () => {
    await whenFree(restic, { signal, waiting: sign }, () =>
      restic.follow(["check", "--read-data", "--no-cache"], { signal }),
    );
    return null;
  });

/** Deletes backups, then the data that no backup needs any more. */
export const forget = (
  restic: Restic,
  backups: readonly string[],
  signal: AbortSignal,
  sign: (waiting: boolean) => void,
): Promise<null> =>
  withSigns(
    () => sign(false),
    async () => {
      const wait = { signal, waiting: () => sign(true) };
      if (backups.length > 0)
        await whenFree(restic, wait, () => restic.follow(["forget", ...backups], { signal }));
      // By itself: a run that was interrupted after the first command has left data that nothing needs.
      await whenFree(restic, wait, () => restic.follow(["prune"], { signal }));
      return null;
    },
  );

async function withSigns<T>(sign: () => void, task: () => Promise<T>): Promise<T> {
  const signs = setInterval(sign, SIGN_MS);
  try {
    return await task();
  } finally {
    clearInterval(signs);
  }
}

/** Runs the task once no other program has locked the repository against it. Locks of dead programs are removed. `waiting`: it is locked. */
export async function whenFree<T>(
  restic: Restic,
  { signal, waiting }: { readonly signal: AbortSignal; readonly waiting: () => void },
  task: () => Promise<T>,
): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (let delay = 1_000; ; delay = Math.min(2 * delay, LONGEST_MS)) {
    await restic.run(["unlock"], { signal, timeoutMs: QUICK });
    try {
      return await task();
    } catch (error) {
      if (errorBody(error).code !== "repository_locked" || performance.now() > until) throw error;
    }
    waiting();
    await sleep(delay, undefined, { signal });
  }
}
