import { PloyzError } from "../../error-codes.ts";
import { missing, type Pool } from "./copies.ts";
import { snapshotName } from "./deps.ts";
import { OURS, volumeDataset } from "./layout.ts";

export interface Wanted {
  readonly namespace: string;
  readonly ids: readonly string[];
  readonly snapshot: string;
  /** This machine's name. */
  readonly self: string;
}

/** Creates missing snapshots. Resolves with all guids, by volume id. */
export async function takeSnapshot(pool: Pool, wanted: Wanted): Promise<Readonly<Record<string, string>>> {
  const { namespace, ids, snapshot } = wanted;
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return { [only]: await takeOne(pool, wanted, only) };
  const find = async () => {
    const found = ids.map(async (id) => {
      const name = `${volumeDataset(pool.layout, namespace, id)}@${snapshot}`;
      return [id, (await pool.zfs.findDataset(name, OURS))?.guid] as const;
    });
    return new Map(await Promise.all(found));
  };
  let made = await find();
  const lacking = ids.filter((id) => made.get(id) === undefined);
  if (lacking.length === 1) await takeOne(pool, wanted, lacking[0] ?? "");
  if (lacking.length > 1) await takeAll(pool, wanted, lacking);
  if (lacking.length > 0) made = await find();
  return Object.fromEntries(ids.map((id) => [id, made.get(id) ?? ""]));
}

async function takeOne(
  { zfs, layout }: Pool,
  { namespace, snapshot, self }: Wanted,
  id: string,
): Promise<string> {
  try {
    const name = `${volumeDataset(layout, namespace, id)}@${snapshot}`;
    return (await zfs.ensureSnapshot(name, OURS)).dataset.guid;
  } catch (error) {
    throw error instanceof PloyzError && error.code === "dataset_missing" ? missing(id, self) : error;
  }
}

/**
 * Atomic. Where ZFS only snapshots whole subtrees, snapshots several volumes with their parent, and then destroys the unwanted ones; after
 * an interruption, the retention removes them later.
 */
async function takeAll(
  { zfs, layout }: Pool,
  { namespace, snapshot, self }: Wanted,
  ids: readonly string[],
): Promise<void> {
  const parent = `${layout.volumes}/${namespace}`;
  const all = (await zfs.listDatasets(parent, OURS)).map(({ name }) => name);
  const gone = ids.find((id) => !all.includes(volumeDataset(layout, namespace, id)));
  if (gone !== undefined) throw missing(gone, self);
  const names = ids.map((id) => volumeDataset(layout, namespace, id));
  if (zfs.capabilities.features.has("multi_snapshot")) {
    await zfs.ensureSnapshots(
      names.map((name) => `${name}@${snapshot}`),
      OURS,
    );
    return;
  }
  // A volume that already has the snapshot would make the whole call fail: an earlier call covered only some, which lost atomicity.
  const before = (await zfs.listSnapshotsBelow(parent, { userProperties: [] })).filter(
    (one) => snapshotName(one) === snapshot,
  );
  if (before.length > 0) {
    for (const name of names) await zfs.ensureSnapshot(`${name}@${snapshot}`, OURS);
    return;
  }
  await zfs.ensureSnapshot(`${parent}@${snapshot}`, { ...OURS, recursive: true });
  for (const name of all) if (!names.includes(name)) await zfs.destroyDataset(`${name}@${snapshot}`);
}
