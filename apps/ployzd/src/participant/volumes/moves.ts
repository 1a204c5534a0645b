import type { VolumeIdentity } from "@ployz/primitives";
import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Pool } from "./copies.ts";
import { dependentsOf } from "./dependents.ts";
import {
  asideDataset,
  type Copy,
  holderDataset,
  identityMarks,
  incomingDataset,
  MARK,
  OURS,
  retiredDataset,
} from "./layout.ts";
import { close, unmark } from "./mount.ts";

/*
 * A copy changes its place in one order: first the properties that it needs there, then the rename, which is the change. Cut off before
 * the rename it is what it was, with marks that its old place does not read; after it nothing is left to do but to tidy.
 */

/** Makes room for a copy that has nothing in common with this one. Kept, under a name of its own, as a retired copy. */
export async function setAside(pool: Pool, copy: Copy, dataset: Dataset, now: number): Promise<void> {
  const { zfs, layout } = pool;
  await checkMovable(pool, copy, dataset);
  const marks = identityMarks(copy, copy.operation);
  await zfs.setProperties(dataset, {
    readonly: true,
    user: { ...marks, [MARK.retiredAt]: copy.retiredAt ?? copy.wasRetired ?? new Date(now).toISOString() },
  });
  await zfs.rename(dataset.name, asideDataset(layout, copy.id, dataset.guid));
  if (copy.holder !== undefined) await unmark(pool, copy.holder, MARK.wasRetired); // what comes next was none
}

/**
 * Says whose the incoming copy is. One that an operation left that is over (the caller holds the volume's lease) is taken over: what it
 * has received is as good. `retired`: the copy that will be used; `present`: the one that is there, as it was read.
 */
export async function ensureHolder(
  { zfs, layout }: Pool,
  identity: VolumeIdentity,
  operation: string,
  retired: Copy | undefined,
  present: Dataset | undefined,
): Promise<void> {
  const name = holderDataset(layout, identity.id);
  const user = identityMarks(identity, operation, retired?.retiredAt);
  if (present === undefined)
    await zfs.ensureDataset(name, {
      ...OURS,
      properties: { mountpoint: "none", canmount: "off", readonly: true, user },
    });
  else await zfs.setProperties(present, { user });
}

/** A retired copy becomes the incoming one, which then needs only what has changed since. */
export async function takeRetired(pool: Pool, copy: Copy, dataset: Dataset): Promise<void> {
  const { zfs, layout } = pool;
  await checkMovable(pool, copy, dataset);
  const name = incomingDataset(layout, copy.id);
  await zfs.rename(dataset.name, name);
  await unmark(pool, { ...dataset, name }, MARK.sealedBy, MARK.retiredAt, MARK.retiredHere);
}

/**
 * Brings what has come to the marks that the volume will have. Admitting it does that too; but while a copy is received, the service may
 * still run, and when it is admitted, it stands still. `seen`: as it was before it received.
 */
export async function markIncoming(
  { zfs, layout }: Pool,
  identity: VolumeIdentity,
  operation: string,
  wasRetired: string | undefined,
  seen: Dataset | undefined,
): Promise<void> {
  const user = identityMarks(identity, operation, wasRetired);
  await zfs.setProperties(seen ?? incomingDataset(layout, identity.id), { user });
}

/** Out of use, and kept. `since`: it was retired before. */
export async function toRetired(pool: Pool, copy: Copy, dataset: Dataset, since: string): Promise<void> {
  const { zfs, layout } = pool;
  const target = retiredDataset(layout, copy.id);
  const older = await zfs.findDataset(target, OURS);
  if (older !== undefined) await zfs.rename(target, asideDataset(layout, copy.id, older.guid));
  await close(pool, dataset, copy.id);
  const stays = (await mountedClones(pool, dataset.name)).length > 0;
  await zfs.setProperties(dataset, {
    user: {
      ...identityMarks(copy, copy.operation),
      [MARK.retiredAt]: since,
      ...(stays && { [MARK.retiredHere]: "yes" }),
    },
  });
  if (!stays) await zfs.rename(dataset.name, target);
}

/**
 * zfs-fuse unmounts the clones of what it renames, and cannot while they are in use; OpenZFS leaves them alone.
 * A copy that has such clones stays where it is.
 */
async function mountedClones({ zfs, layout }: Pool, name: string): Promise<readonly string[]> {
  if (zfs.capabilities.implementation === "openzfs") return [];
  const datasets = await zfs.listDatasets(layout.root, OURS);
  const clones = new Set(dependentsOf(name, datasets));
  return datasets.filter((one) => clones.has(one.name) && one.mounted).map((one) => one.name);
}

/** @throws PloyzError `has_dependents`, before anything is changed. */
async function checkMovable(pool: Pool, copy: Copy, dataset: Dataset): Promise<void> {
  const clones = await mountedClones(pool, dataset.name);
  if (clones.length === 0) return;
  throw new PloyzError({
    code: "has_dependents",
    message: `the copy of ${copy.namespace}/${copy.name} that was kept here cannot be used while clones of it are: ${clones.join(", ")}`,
    hint: "remove those namespaces or volumes first, or move it to another machine",
    details: { dependents: clones },
  });
}
