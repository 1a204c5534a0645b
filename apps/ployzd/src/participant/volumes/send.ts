import type { Readable } from "node:stream";
import type { TransferOffer } from "@ployz/primitives";
import type { Dataset } from "@ployz/zfs";
import { checkId, checkSnapshot } from "./layout.ts";
import { findCopy, type Pool, snapshotName, snapshotsOf, type VolumeWorld } from "./world.ts";

export type VolumeOffer = Extract<TransferOffer, { kind: "volume" }>;

/** On every snapshot that is being sent, so that nothing destroys it meanwhile. */
const HOLD = "ployz-transfer";

/** The sending half of `volume.pull`. */
export interface Sender {
  /**
   * About how many bytes it will be, and whether a token that was sent goes on with this snapshot; `null`: this machine has not got
   * these snapshots.
   */
  estimate(offer: VolumeOffer): Promise<Estimate | null>;
  open(offer: VolumeOffer): Promise<Readable>;
  /** Lets go of what a daemon that was killed while it sent still holds. Before the first `open`. */
  tidy(): Promise<void>;
}

export type Estimate = { readonly bytes?: number; readonly resumes?: true };

export function openSender({ storage, log }: Pick<VolumeWorld, "storage" | "log">): Sender {
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

  return {
    async estimate(offer) {
      const pool = await storage.ready();
      const send = await named(pool, offer);
      if (send === undefined) return null;
      const { resumeToken: token } = offer;
      if (token !== undefined) {
        const of = await pool.zfs.resumesTo(token).catch(() => undefined); // another one, or of a ZFS that has none
        if (of === send.snapshot.guid) return { resumes: true };
      }
      const bytes = await pool.zfs.estimateSend(names(send)).catch(() => undefined);
      return bytes === undefined ? {} : { bytes };
    },
    async open(offer) {
      const pool = await storage.ready();
      const send = await named(pool, offer);
      if (send === undefined) throw new Error(`the snapshots of ${offer.id} that were offered are gone`);
      const snapshots = Object.values(names(send));
      await Promise.all(snapshots.map((snapshot) => hold(pool, snapshot)));
      const { resumeToken } = offer;
      const { stream, done } = pool.zfs.send({
        ...names(send),
        ...(resumeToken !== undefined && { resumeToken }),
      }); // ends, and its program with it, when nobody reads any more
      void done
        .catch(() => {}) // told by the stream
        .then(() => Promise.all(snapshots.map((snapshot) => release(pool, snapshot))))
        .catch((error: unknown) => log(error)); // the next start lets go of it
      return stream;
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

const names = ({ snapshot, base }: Named) => ({
  snapshot: snapshot.name,
  ...(base !== undefined && { base: base.name }),
});
