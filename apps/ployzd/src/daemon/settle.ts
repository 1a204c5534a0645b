import { createBackoff, keepReserve, pause } from "@ployz/exec";
import type { AdoptionReport } from "@ployz/primitives/client";
import type { Commit, Store } from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import type { Inviter } from "../invites/open.ts";
import type { Runner } from "../operations/runner.ts";
import { adoptCommitted, removeStrays } from "../participant/adopt.ts";
import type { InstanceDeps } from "../participant/instances.ts";
import type { VolumeDeps } from "../participant/volumes/deps.ts";
import type { Storage } from "../participant/volumes/storage.ts";
import { settleStrays } from "../participant/volumes/strays.ts";
import type { Records } from "../state/records.ts";

interface Settling {
  readonly self: string;
  readonly dataDir: string;
  readonly deps: InstanceDeps;
  readonly volumes: VolumeDeps;
  readonly storage: Storage;
  readonly store: Store;
  readonly mirror: Pick<Records, "synced">;
  readonly inviter: Pick<Inviter, "resume">;
  readonly runner: Runner;
  readonly log: Logger;
  readonly signal: AbortSignal;
  heads(): readonly Commit[];
  /** Whether the heads have been read from the store since this daemon started. */
  confirmed(): boolean;
  adoption(): AdoptionReport;
  /** Operations that the last daemon did not end may be ended now. */
  unfinished(): void;
  /** Retires volumes whose standby was taken over. */
  yielded(): Promise<AdoptionReport["removed"]>;
  report(adoption: AdoptionReport): void;
}

/** The longest pause between two tries to start what did not start: it runs within a minute of when it can. */
const RETRY_MS = 20_000;

const RESERVE_CHECK_MS = 60_000;

/** Keeps space with which this machine can stop and remove what it runs when its disk is full. */
async function keepSpace({ dataDir, log, signal }: Settling): Promise<void> {
  while (!signal.aborted) {
    await keepReserve(dataDir).catch((error: unknown) => log.warn({ err: error }, "the reserve on the disk"));
    await pause(RESERVE_CHECK_MS, signal);
  }
}

/** Start-up work that needs the store, and work that could not be done at the first try. */
export async function settleMember(settling: Settling): Promise<void> {
  const withStore = settleWithStore(settling);
  let settled = false;
  void withStore.then(() => {
    settled = true;
  });
  await Promise.all([
    withStore,
    retryAdoption(settling, () => settled, settling.confirmed),
    keepSpace(settling),
  ]);
}

/** A pool that is imported late or a disk that was full needs no store and no command: starts what has failed until all of it runs. */
async function retryAdoption(
  settling: Settling,
  settled: () => boolean,
  confirmed: () => boolean,
): Promise<void> {
  const { self, deps, log, signal } = settling;
  const backoff = createBackoff(2_000, RETRY_MS);
  while (!signal.aborted) {
    await backoff.pause(signal);
    const failed = new Set(settling.adoption().failed.map(({ what }) => what));
    if (failed.size === 0 && settled()) return;
    if (failed.size === 0 || signal.aborted) continue;
    const commits = settling.heads().map((commit) => ({
      ...commit,
      instances: commit.instances.filter(({ id }) => failed.has(id)),
    }));
    const again = await adoptCommitted(self, commits, deps, confirmed()).catch((error: unknown) => {
      log.error({ err: error }, "starting what has not started");
      return undefined;
    });
    if (again === undefined) continue;
    if (again.recreated.length > 0) log.info({ recreated: again.recreated }, "adoption");
    const now = settling.adoption();
    settling.report({
      ...now,
      adopted: [...now.adopted, ...again.adopted],
      recreated: [...now.recreated, ...again.recreated],
      failed: [...now.failed.filter(({ what }) => !failed.has(what)), ...again.failed],
    });
  }
}

/** Removes remains of ended operations, and adopts instances committed meanwhile. */
async function settleWithStore(settling: Settling): Promise<void> {
  const { self, deps, volumes, storage, store, mirror, inviter, runner, log, signal } = settling;
  try {
    // A store that is away, perhaps permanently, must not prevent the end of this membership.
    const ending = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await Promise.race([mirror.synced(), ending]);
    if (signal.aborted) return;
    await inviter.resume();
    const interrupted = await runner.markInterrupted();
    if (interrupted.length > 0) log.warn({ interrupted }, "unfinished operations of the last daemon");
    settling.unfinished();
    const pool = storage.present();
    const removed = [
      ...(await settling.yielded()),
      ...(await removeStrays(self, store, deps)),
      ...(pool === undefined ? [] : await settleStrays(volumes, pool, store)),
    ];
    // Commits made while the daemon was down may add instances that the first adoption did not know.
    const again = await adoptCommitted(self, settling.heads(), deps, true);
    const recreated = [...settling.adoption().recreated, ...again.recreated];
    const made = new Set(recreated.map(({ what }) => what));
    settling.report({ ...again, adopted: again.adopted.filter((id) => !made.has(id)), recreated, removed });
    if (removed.length > 0) log.warn({ removed }, "strays");
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "settling after the start");
  }
}
