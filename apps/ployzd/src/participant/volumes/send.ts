import type { Readable } from "node:stream";
import type { TransferOffer } from "@ployz/primitives/protocol";
import type { Dataset, SendOptions } from "@ployz/zfs";
import { findCopy, type Pool } from "./copies.ts";
import { snapshotName, snapshotsOf, type VolumeDeps } from "./deps.ts";
import { checkId, checkSnapshot } from "./layout.ts";

export type VolumeOffer = Extract<TransferOffer, { kind: "volume" }>;

/** The hold on every snapshot during its send, which prevents its destruction. */
const HOLD = "ployz-transfer";

/** The sending half of `volume.pull`. */
export interface Sender {
  /** `null`: this machine does not have these snapshots. */
  prepare(offer: VolumeOffer): Promise<Prepared | null>;
  /** Releases holds of a daemon that was killed during a send. Call it before the first `open`. */
  tidy(): Promise<void>;
}

export interface Prepared {
  /** The estimated number of bytes. */
  readonly bytes?: number;
  /** The received token continues this snapshot. */
  readonly resumes?: true;
  /** Fails when the snapshots no longer exist. */
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

  /** Sends, with a hold on the snapshots until the end. */
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
    const { stream, done } = pool.zfs.send(what); // ends, and its program with it, when the reader closes
    void done.then(letGo, letGo); // the stream reports a failure
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
        const of = await pool.zfs.resumesTo(token).catch(() => undefined); // a token of another snapshot, or a ZFS without resume tokens
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
