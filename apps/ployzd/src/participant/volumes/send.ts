import type { Readable } from "node:stream";
import type { TransferOffer } from "@ployz/primitives";
import type { Dataset, SendOptions } from "@ployz/zfs";
import { findCopy, type Pool } from "./copies.ts";
import { snapshotName, snapshotsOf, type VolumeDeps } from "./deps.ts";
import { checkId, checkSnapshot } from "./layout.ts";

export type VolumeOffer = Extract<TransferOffer, { kind: "volume" }>;

/** On every snapshot that is being sent, so that nothing destroys it meanwhile. */
const HOLD = "ployz-transfer";

/** The sending half of `volume.pull`. */
export interface Sender {
  /** `null`: this machine has not got these snapshots. */
  prepare(offer: VolumeOffer): Promise<Prepared | null>;
  /** Lets go of what a daemon that was killed while it sent still holds. Before the first `open`. */
  tidy(): Promise<void>;
}

export interface Prepared {
  /** About how many it will be. */
  readonly bytes?: number;
  /** The token that was sent goes on with this snapshot. */
  readonly resumes?: true;
  /** Fails when the snapshots have gone since. */
  open(): Promise<Readable>;
}

export function openSender({ storage, log }: Pick<VolumeDeps, "storage" | "log">): Sender {
  const held = new Map<string, number>();

  async function hold(pool: Pool, snapshot: string): Promise<void> {
    held.set(snapshot, (held.get(snapshot) ?? 0) + 1);
    await pool.zfs.hold(snapshot, HOLD);
  }
  async function release(pool: Pool, snapshot: string): Promise<void> {
    const left = (held.get(snapshot) ?? 1) - 1;
    if (left > 0) held.set(snapshot, left);
    else {
      held.delete(snapshot);
      await pool.zfs.release(snapshot, HOLD);
    }
  }

  async function named(pool: Pool, { id, snapshot, base }: VolumeOffer): Promise<Named | undefined> {
    checkSnapshot(snapshot);
    if (base !== undefined) checkSnapshot(base);
    const dataset = (await findCopy(pool, checkId(id)))?.dataset;
    if (dataset === undefined) return undefined;
    const all = await snapshotsOf(pool, dataset.name);
    const find = (wanted: string | undefined) => all.find((one) => snapshotName(one) === wanted);
    const [found, from] = [find(snapshot), find(base)];
    if (found === undefined || (base !== undefined && from === undefined)) return undefined;
    return { snapshot: found, ...(from !== undefined && { base: from }) };
  }

  /** Sends, and holds what it sends until that is over. */
  async function open(pool: Pool, what: SendOptions): Promise<Readable> {
    const snapshots = [what.snapshot, ...(what.base === undefined ? [] : [what.base])];
    const letGo = () =>
      Promise.all(snapshots.map((snapshot) => release(pool, snapshot))).catch((error: unknown) => log(error)); // the next start does it
    const holding = await Promise.allSettled(snapshots.map((snapshot) => hold(pool, snapshot)));
    const failed = holding.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") {
      await letGo();
      throw failed.reason;
    }
    const { stream, done } = pool.zfs.send(what); // ends, and its program with it, when nobody reads any more
    void done.then(letGo, letGo); // a failure is told by the stream
    return stream;
  }

  return {
    async prepare(offer) {
      const pool = await storage.ready();
      const found = await named(pool, offer);
      if (found === undefined) return null;
      const names = {
        snapshot: found.snapshot.name,
        ...(found.base !== undefined && { base: found.base.name }),
      };
      const { resumeToken: token } = offer;
      if (token !== undefined) {
        const of = await pool.zfs.resumesTo(token).catch(() => undefined); // another one, or of a ZFS that has none
        if (of === found.snapshot.guid)
          return { resumes: true, open: () => open(pool, { ...names, resumeToken: token }) };
      }
      const bytes = await pool.zfs
        .estimateSend({ ...names, snapshot: found.snapshot })
        .catch(() => undefined);
      return { ...(bytes !== undefined && { bytes }), open: () => open(pool, names) };
    },
    async tidy() {
      const pool = await storage.ready();
      const snapshots = await pool.zfs.listSnapshotsBelow(pool.layout.root, { userProperties: [] });
      for (const { name, properties } of snapshots) {
        if (Number(properties.get("userrefs")?.value ?? 0) > 0 && !held.has(name))
          await pool.zfs.release(name, HOLD);
      }
    },
  };
}

interface Named {
  readonly snapshot: Dataset;
  readonly base?: Dataset;
}
