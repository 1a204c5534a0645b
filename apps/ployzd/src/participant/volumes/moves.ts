import type { VolumeIdentity } from "@ployz/primitives/protocol";
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
 * A copy moves in a fixed order: first the properties for its new place, then the rename, which is the change. Interrupted before the
 * rename, its state is unchanged, since its old place ignores the new marks; after it only clean-up is left.
 */

/** Sets aside a copy that shares no snapshot with the new one. Keeps it, under a separate name, as a retired copy. */
export async function setAside(pool: Pool, copy: Copy, dataset: Dataset, now: number): Promise<void> {
  const { zfs, layout } = pool;
  await checkMovable(pool, copy, dataset);
  const marks = identityMarks(copy, copy.operation);
  await zfs.setProperties(dataset, {
    readonly: true,
    user: { ...marks, [MARK.retiredAt]: copy.retiredAt ?? copy.wasRetired ?? new Date(now).toISOString() },
  });
  await zfs.rename(dataset.name, asideDataset(layout, copy.id, dataset.guid));
  await unmark(pool, { ...dataset, name: asideDataset(layout, copy.id, dataset.guid) }, MARK.standby);
  if (copy.holder !== undefined) await unmark(pool, copy.holder, MARK.wasRetired); // the next copy was not retired
}

/**
 * Records the owner of the incoming copy. Takes over one left by an ended operation (the caller holds the volume's lease): its received
 * data is still valid. `retired`: the copy to reuse; `present`: the existing one, as read.
 */
export async function ensureHolder(
  { zfs, layout }: Pool,
  identity: VolumeIdentity,
  operation: string,
  retired: Copy | undefined,
  present: Dataset | undefined,
  marks: Readonly<Record<string, string>> = {},
): Promise<void> {
  const name = holderDataset(layout, identity.id);
  const user = { ...identityMarks(identity, operation, retired?.retiredAt), ...marks };
  if (present === undefined)
    await zfs.ensureDataset(name, {
      ...OURS,
      properties: { mountpoint: "none", canmount: "off", readonly: true, user },
    });
  else {
    await zfs.setProperties(present, { user });
    if (marks[MARK.standby] === undefined) await unmark({ zfs, layout }, present, MARK.standby);
  }
}

/** Reuses a retired copy as the incoming one, which then needs only later changes. */
export async function takeRetired(pool: Pool, copy: Copy, dataset: Dataset): Promise<void> {
  const { zfs, layout } = pool;
  await checkMovable(pool, copy, dataset);
  const name = incomingDataset(layout, copy.id);
  await zfs.rename(dataset.name, name);
  await unmark(pool, { ...dataset, name }, MARK.sealedBy, MARK.retiredAt, MARK.retiredHere);
}

/**
 * Sets the volume's final marks on the received copy. Admitting does that too; but during the receive the service may still run, while at
 * admission it is stopped. `seen`: its state before the receive.
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

/** Retires a copy. `since`: the time when it was retired before. */
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
 * zfs-fuse unmounts the clones of a dataset it renames, which fails while they are in use; OpenZFS does not. A copy with such clones stays
 * in its place.
 */
async function mountedClones({ zfs, layout }: Pool, name: string): Promise<readonly string[]> {
  if (zfs.capabilities.implementation === "openzfs") return [];
  const datasets = await zfs.listDatasets(layout.root, OURS);
  const clones = new Set(dependentsOf(name, datasets));
  return datasets.filter((one) => clones.has(one.name) && one.mounted).map((one) => one.name);
}

/** @throws PloyzError `has_dependents`, before any change. */
async function checkMovable(pool: Pool, copy: Copy, dataset: Dataset): Promise<void> {
  const clones = await mountedClones(pool, dataset.name);
  if (clones.length === 0) return;
  throw new PloyzError({
    code: "has_dependents",
    message: `the copy of ${copy.namespace}/${copy.name} kept on this machine cannot be used while its clones are in use: ${clones.join(", ")}`,
    hint: "remove those namespaces or volumes first, or move it to another machine",
    details: { dependents: clones },
  });
}
