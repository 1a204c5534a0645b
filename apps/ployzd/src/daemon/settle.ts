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
  readonly deps: InstanceDeps;
  readonly volumes: VolumeDeps;
  readonly storage: Storage;
  readonly store: Store;
  readonly mirror: Pick<Records, "synced">;
  readonly inviter: Pick<Inviter, "resume">;
  readonly runner: Runner;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly first: AdoptionReport;
  heads(): readonly Commit[];
  report(adoption: AdoptionReport): void;
}

/** Start-up work that needs the store: remove remains of ended operations, and adopt instances committed meanwhile. */
export async function settleMember(settling: Settling): Promise<void> {
  const { self, deps, volumes, storage, store, mirror, inviter, runner, log, signal, first } = settling;
  try {
    // A store that is away, perhaps permanently, must not prevent the end of this membership.
    const ending = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await Promise.race([mirror.synced(), ending]);
    if (signal.aborted) return;
    await inviter.resume();
    const interrupted = await runner.markInterrupted();
    if (interrupted.length > 0) log.warn({ interrupted }, "unfinished operations of the last daemon");
    const pool = storage.present();
    const removed = [
      ...(await removeStrays(self, store, deps)),
      ...(pool === undefined ? [] : await settleStrays(volumes, pool, store)),
    ];
    // Commits made while the daemon was down may add instances that the first adoption did not know.
    const again = await adoptCommitted(self, settling.heads(), deps);
    const recreated = [...first.recreated, ...again.recreated];
    const made = new Set(recreated.map(({ what }) => what));
    settling.report({ ...again, adopted: again.adopted.filter((id) => !made.has(id)), recreated, removed });
    if (removed.length > 0) log.warn({ removed }, "strays");
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "settling after the start");
  }
}
