import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Pool } from "../participant/volumes/copies.ts";
import { findCopy, missing } from "../participant/volumes/copies.ts";
import { snapshotMissing } from "../participant/volumes/effects.ts";
import { checkId, checkSnapshot, OURS } from "../participant/volumes/layout.ts";

/** Clones of volumes live here while they are read. */
const parentOf = ({ layout }: Pool): string => `${layout.root}/backup`;
const cloneOf = (pool: Pool, id: string): string => `${parentOf(pool)}/${checkId(id)}`;

export interface Clone {
  /** Where it is mounted; `data` is in it. */
  readonly path: string;
  /** Of the data. */
  readonly bytes: number;
  /** RFC 3339: of the snapshot. */
  readonly at: string;
}

/** A snapshot's data as a mounted clone. `mounts`: the parent folder of the mountpoints, always the same for a volume: restic compares by path. */
export async function openClone(
  pool: Pool,
  { id, snapshot, guid, self }: { id: string; snapshot: string; guid: string; self: string },
  mounts: string,
): Promise<Clone> {
  const { zfs } = pool;
  const source = (await findCopy(pool, checkId(id)))?.dataset;
  if (source === undefined) throw missing(id, self);
  const origin = await zfs.findDataset(`${source.name}@${checkSnapshot(snapshot)}`, OURS);
  if (origin?.guid !== guid) throw snapshotMissing(id, snapshot, self);
  await dropClone(pool, id, mounts);
  await zfs.ensureDataset(parentOf(pool), { ...OURS, properties: { mountpoint: "none", canmount: "off" } });
  const path = join(mounts, checkId(id));
  await mkdir(path, { recursive: true, mode: 0o700 });
  await zfs.ensureClone(origin.name, cloneOf(pool, id), {
    ...OURS,
    properties: { canmount: "noauto", mountpoint: path, refquotaBytes: "none" },
  });
  await zfs.mount(cloneOf(pool, id));
  return { path, bytes: origin.referencedBytes, at: new Date(origin.createdAt).toISOString() };
}

/** Removes a volume's clone, if there is one. */
export async function dropClone(pool: Pool, id: string, mounts: string): Promise<void> {
  await pool.zfs.destroyDataset(cloneOf(pool, id));
  await rmdir(join(mounts, checkId(id))).catch(() => {}); // absent, or of another pool
}

/** Removes the clones of a daemon that was killed: nothing reads them any more. */
export async function tidyClones(pool: Pool, mounts: string): Promise<void> {
  const parent = parentOf(pool);
  for (const { name } of await pool.zfs.listDatasets(parent, OURS))
    if (name !== parent) await dropClone(pool, name.slice(parent.length + 1), mounts);
}
