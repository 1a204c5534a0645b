import type { Commands, ObservedSnapshot } from "@ployz/primitives/protocol";
import type { Pool } from "./copies.ts";
import type { PullDeps } from "./deps.ts";
import { snapshotMissing } from "./effects.ts";
import { limited, sparingly } from "./limit.ts";

export type Offered = NonNullable<Commands["transfer.offer"]["out"]>;

const ASK_MS = 15_000;

/** A running transfer. */
export interface Run {
  readonly signal: AbortSignal;
  readonly at: { done: number; total?: number };
  /** Reports progress; also a heartbeat, since on a slow machine the work around a stream takes time too. */
  tell(): void;
}

/** A snapshot of another machine, and the dataset here that receives it. */
export interface Wanted {
  readonly pool: Pool;
  readonly dataset: string;
  readonly source: { readonly machine: string; readonly id: string };
  readonly snapshot: string;
  readonly guid: string;
  readonly bytesPerSecond?: number;
}

/** Asks another machine for a snapshot, and receives it. */
export function transfersOf({ machines, self, fetch }: Pick<PullDeps, "machines" | "self" | "fetch">) {
  return {
    /** The source's snapshots, and the requested one of them. @throws PloyzError `snapshot_missing`. */
    async find(
      { source, snapshot, guid }: Pick<Wanted, "source" | "snapshot" | "guid">,
      signal: AbortSignal,
    ): Promise<{ readonly theirs: readonly ObservedSnapshot[]; readonly wanted: ObservedSnapshot }> {
      const asked = { timeoutMs: ASK_MS, signal };
      const answer = await machines.call(source.machine, "volume.snapshots", { id: source.id }, asked);
      const theirs = answer?.snapshots ?? [];
      const wanted = theirs.find((one) => one.name === snapshot && one.guid === guid);
      if (wanted === undefined) throw snapshotMissing(source.id, snapshot, source.machine);
      return { theirs, wanted };
    },

    async offer(
      { pool, dataset, source, snapshot }: Wanted,
      base: ObservedSnapshot | undefined,
      { signal }: Pick<Run, "signal">,
    ): Promise<Offered> {
      const resumeToken = await partOf(pool, dataset);
      const offered = await machines.call(
        source.machine,
        "transfer.offer",
        {
          kind: "volume",
          id: source.id,
          snapshot,
          machine: self,
          ...(base !== undefined && { base: base.name }),
          ...(resumeToken !== undefined && { resumeToken }),
        },
        { timeoutMs: ASK_MS, signal },
      );
      if (offered === null) throw snapshotMissing(source.id, snapshot, source.machine);
      return offered;
    },

    async receive(
      { pool, dataset, source, snapshot, guid, bytesPerSecond }: Wanted,
      offer: Offered,
      { signal, at, tell }: Run,
    ): Promise<number> {
      tell();
      if (offer.resumes !== true) await pool.zfs.abortReceive(dataset);
      if (offer.bytes !== undefined) at.total = offer.bytes;
      const told = sparingly(tell);
      const incoming = await fetch(source.machine, offer.token, signal);
      tell();
      const { bytes } = await pool.zfs.receive({
        dataset,
        stream:
          bytesPerSecond === undefined
            ? incoming
            : limited(incoming, { signal, bytesPerSecond, onWait: told }),
        expect: { snapshot, guid },
        resumable: true,
        signal,
        onProgress: (all) => {
          at.done = all;
          told();
        },
      });
      tell();
      return bytes;
    },
  };
}

/** The token that resumes an interrupted transfer into the dataset. */
export const partOf = ({ zfs }: Pool, dataset: string): Promise<string | undefined> =>
  zfs.capabilities.features.has("resume_tokens") ? zfs.resumeToken(dataset) : Promise.resolve(undefined);
