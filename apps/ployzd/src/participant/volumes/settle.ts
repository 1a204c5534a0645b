import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Handlers } from "../handlers.ts";
import { copiesOf, findCopy, missing, type Pool, sealed } from "./copies.ts";
import { neededBy } from "./dependents.ts";
import { checkMine, checkUnused, snapshotName, snapshotsOf, type VolumeDeps } from "./deps.ts";
import { ensureParent } from "./effects.ts";
import {
  type Copy,
  checkId,
  checkSnapshot,
  holderDataset,
  identityMarks,
  MARK,
  OURS,
  volumeDataset,
} from "./layout.ts";
import { open, specProperties, unmark } from "./mount.ts";
import { toRetired } from "./moves.ts";
import { isOperations } from "./retention.ts";

type Settling = "volume.admit" | "volume.discard" | "volume.retire";

/** Admits a copy as the volume, and discards or retires it. */
export function settlingEffects(deps: VolumeDeps): Pick<Handlers, Settling> {
  const { storage, runtime, inTurn, self } = deps;

  return {
    "volume.admit": ({ spec, operation, snapshot, guid, ...identity }) =>
      inTurn(checkId(identity.id), async () => {
        const pool = await storage.ready();
        const { id, namespace } = identity;
        const copy = await findCopy(pool, id);
        if (copy?.dataset === undefined) throw missing(id, self);
        checkMine(copy, operation, identity);
        if (copy.state !== "incoming" && copy.state !== "active") throw sealed(copy);
        const name = volumeDataset(pool.layout, namespace, id);
        const { guid: received } = copy.dataset; // the rename keeps it
        if (copy.state === "incoming") {
          await checkNewest(pool, copy.dataset, checkSnapshot(snapshot), guid);
          await ensureParent(pool, namespace);
          const { sealedBy, retiredAt, retiredHere, wasRetired, standby } = MARK;
          const stale = [
            sealedBy,
            retiredAt,
            retiredHere,
            standby,
            ...(copy.wasRetired === undefined ? [wasRetired] : []),
          ];
          await unmark(pool, copy.dataset, ...stale);
          await pool.zfs.setProperties(copy.dataset, {
            ...specProperties(spec),
            user: identityMarks(identity, operation, copy.wasRetired),
          });
          await pool.zfs.rename(copy.dataset.name, name);
        }
        await open(pool, name, id);
        await dropEmptyHolder(pool, id);
        return { guid: received };
      }),

    "volume.discard": ({ id, operation }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        for (const copy of await copiesOf(pool)) {
          if (copy.id === id && copy.operation === operation && copy.place !== "retired") {
            await checkUnused(runtime, id);
            await discard(pool, copy);
          }
        }
        return null;
      }),

    "volume.retire": ({ id }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        const copy = await findCopy(pool, id);
        if (copy?.dataset === undefined || copy.state === "retired") return null;
        await checkUnused(runtime, id);
        await toRetired(pool, copy, copy.dataset, new Date(deps.now()).toISOString());
        if (copy.place === "incoming") await dropEmptyHolder(pool, id);
        return null;
      }),
  };
}

/**
 * Destroys a copy with its snapshots; a reused retired copy is retired again. No instance runs on it. What another program holds, or has
 * cloned, is retired instead: an undo must end.
 */
export async function discard(pool: Pool, copy: Copy): Promise<void> {
  const { zfs, layout } = pool;
  const { id, dataset, holder, wasRetired } = copy;
  if (dataset !== undefined && copy.place === "incoming") await zfs.abortReceive(dataset.name);
  if (dataset !== undefined && wasRetired !== undefined) {
    await backToBase(pool, copy, dataset);
    await toRetired(pool, copy, dataset, wasRetired);
  } else if (dataset !== undefined && (await zfs.findDataset(dataset.name, OURS)) !== undefined)
    await zfs
      .destroyDataset(dataset.name, { recursive: true, guid: dataset.guid })
      .catch((error: unknown) => {
        if (neededBy(error) === undefined) throw error;
        return toRetired(pool, copy, dataset, new Date().toISOString());
      });
  if (holder !== undefined) await zfs.destroyDataset(holderDataset(layout, id), { guid: holder.guid });
}

/**
 * Rolls back this operation's transfers: the source drops those snapshots, and a copy whose content is in no snapshot of others is useless
 * for the next transfer. The source still has all the data. A hold on one of them prevents it; the next transfer is a full one then.
 */
async function backToBase({ zfs }: Pool, { operation }: Copy, dataset: Dataset): Promise<void> {
  const snapshots = await zfs.listSnapshots(dataset.name, { userProperties: [] });
  const first = snapshots.findIndex((one) => snapshotName(one).startsWith(operation.toLowerCase()));
  const base = snapshots[first - 1];
  if (base === undefined) return;
  await zfs.rollback(base.name, { guid: base.guid, destroyNewer: true }).catch((error: unknown) => {
    if (neededBy(error) === undefined) throw error;
  });
}

/** Removes the incoming copy's owner record after the copy has become the volume. */
export async function dropEmptyHolder({ zfs, layout }: Pool, id: string): Promise<void> {
  const holder = await zfs.findDataset(holderDataset(layout, id), OURS);
  if (holder === undefined) return;
  await zfs.destroyDataset(holder.name, { guid: holder.guid }).catch((error: unknown) => {
    if (neededBy(error) === undefined) throw error; // it is not empty
  });
}

/** Newer ones of other programs hold nothing more: the copy is not writable yet. */
async function checkNewest(pool: Pool, dataset: Dataset, snapshot: string, guid: string): Promise<void> {
  const all = await snapshotsOf(pool, dataset.name);
  const newest = all.findLast((one) => one.guid === guid || isOperations(one)) ?? all.at(-1);
  if (newest !== undefined && snapshotName(newest) === snapshot && newest.guid === guid) return;
  throw new PloyzError({
    code: "transfer_unverified",
    message: `the newest snapshot of ${dataset.name} is ${newest === undefined ? "none" : `${snapshotName(newest)} (guid ${newest.guid})`}, not ${snapshot} (guid ${guid})`,
    hint: "run the same command again: it transfers the difference",
  });
}
