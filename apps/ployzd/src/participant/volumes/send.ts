import type { Readable } from "node:stream";
import type { TransferOffer } from "@ployz/primitives";
import { checkId, checkSnapshot } from "./layout.ts";
import { findCopy, type Pool, type VolumeWorld } from "./world.ts";

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
    const name = (await findCopy(pool, checkId(id)))?.dataset?.name;
    if (name === undefined) return undefined;
    const full = {
      snapshot: `${name}@${checkSnapshot(snapshot)}`,
      base: base && `${name}@${checkSnapshot(base)}`,
    };
    const wanted = [full.snapshot, ...(full.base === undefined ? [] : [full.base])];
    const found = await Promise.all(wanted.map((one) => pool.zfs.findDataset(one)));
    if (found.includes(undefined)) return undefined;
    return { snapshot: full.snapshot, ...(full.base !== undefined && { base: full.base }) };
  }

  return {
    async estimate(offer) {
      const pool = await storage.ready();
      const send = await named(pool, offer);
      if (send === undefined) return null;
      const { resumeToken: token } = offer;
      if (token !== undefined) {
        const { guid } = await pool.zfs.getDataset(send.snapshot);
        const of = await pool.zfs.resumesTo(token).catch(() => undefined); // another one, or of a ZFS that has none
        if (of === guid) return { resumes: true };
      }
      const bytes = await pool.zfs.estimateSend(send).catch(() => undefined);
      return bytes === undefined ? {} : { bytes };
    },
    async open(offer) {
      const pool = await storage.ready();
      const send = await named(pool, offer);
      if (send === undefined) throw new Error(`the snapshots of ${offer.id} that were offered are gone`);
      const snapshots = [send.snapshot, ...(send.base === undefined ? [] : [send.base])];
      await Promise.all(snapshots.map((snapshot) => hold(pool, snapshot)));
      const { resumeToken } = offer;
      const { stream, done } = pool.zfs.send({ ...send, ...(resumeToken !== undefined && { resumeToken }) }); // ends, and its program with it, when nobody reads any more
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
  readonly snapshot: string;
  readonly base?: string;
}
