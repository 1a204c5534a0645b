import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Handlers } from "../handlers.ts";
import { copiesOf, findCopy, meant, missing, needCopy, type Pool, sealed } from "./copies.ts";
import { destroyUnlessNeeded } from "./dependents.ts";
import { checkMine, checkUnused, observedSnapshot, snapshotsOf, type VolumeDeps } from "./deps.ts";
import { checkId, checkSnapshot, identityMarks, MARK, mountpointOf, OURS, volumeDataset } from "./layout.ts";
import { close, open, specProperties, unmark } from "./mount.ts";
import { takeSnapshot } from "./snapshot.ts";

type Effects =
  | "volume.snapshots"
  | "volume.ensure"
  | "volume.snapshot"
  | "volume.unsnapshot"
  | "volume.clone"
  | "volume.seal"
  | "volume.unseal";

/** Commands on this machine's volumes. Each may be repeated at any time, also after an interruption. */
export function localEffects(deps: VolumeDeps): Pick<Handlers, Effects> {
  const { storage, runtime, inTurn, self } = deps;

  return {
    "volume.snapshots": async ({ id }) => {
      const pool = await storage.ready();
      const copy = await findCopy(pool, checkId(id));
      if (copy?.dataset === undefined) return null;
      return { snapshots: (await snapshotsOf(pool, copy.dataset.name)).map(observedSnapshot) };
    },

    /** Created with all properties in one call; every use creates a missing mount or folder again. */
    "volume.ensure": ({ spec, operation, create, ...identity }) =>
      inTurn(checkId(identity.id), async () => {
        const pool = await storage.ready();
        const present = await findCopy(pool, identity.id);
        const name = volumeDataset(pool.layout, identity.namespace, identity.id);
        if (present === undefined) {
          if (!create) throw missing(identity.id, self);
          await ensureParent(pool, identity.namespace);
          await pool.zfs.ensureDataset(name, {
            claim: identityMarks(identity, operation),
            properties: {
              ...specProperties(spec),
              canmount: "on",
              mountpoint: mountpointOf(pool.layout, identity.id),
            },
          });
        } else {
          checkMine(present, present.operation, identity);
          if (present.state !== "active") throw sealed(present);
          await pool.zfs.setProperties(name, specProperties(spec));
        }
        const dataset = await pool.zfs.getDataset(name, OURS);
        await open(pool, name, identity.id, dataset);
        return { guid: dataset.guid };
      }),

    "volume.snapshot": async ({ namespace, ids, snapshot }) => {
      checkSnapshot(snapshot);
      const pool = await storage.ready();
      return allInTurn(deps, ids, async () => ({
        guids: await takeSnapshot(pool, { namespace, ids, snapshot, self }),
      }));
    },

    "volume.unsnapshot": async ({ ids, snapshots }) => {
      const pool = await storage.ready();
      for (const id of ids) {
        await inTurn(checkId(id), async () => {
          const name = (await findCopy(pool, id))?.dataset?.name;
          if (name === undefined) return;
          const unwanted = new Set(snapshots.map((snapshot) => `${name}@${checkSnapshot(snapshot)}`));
          for (const snapshot of await snapshotsOf(pool, name))
            if (unwanted.has(snapshot.name)) await destroyUnlessNeeded(pool, snapshot);
        });
      }
      return null;
    },

    "volume.clone": ({ from, spec, operation, ...identity }) =>
      allInTurn(deps, [identity.id, from.id], async () => {
        const pool = await storage.ready();
        const copies = await copiesOf(pool);
        const present = meant(copies, identity.id);
        const name = volumeDataset(pool.layout, identity.namespace, identity.id);
        let made: Dataset | undefined;
        if (present === undefined) {
          const source = meant(copies, from.id);
          if (source?.dataset === undefined) throw missing(from.id, self);
          const snapshot = `${source.dataset.name}@${checkSnapshot(from.snapshot)}`;
          if ((await pool.zfs.findDataset(snapshot, OURS))?.guid !== from.guid)
            throw snapshotMissing(from.id, from.snapshot, self);
          await ensureParent(pool, identity.namespace);
          const clone = await pool.zfs.ensureClone(snapshot, name, {
            ...OURS,
            properties: {
              ...specProperties(spec),
              canmount: "on",
              mountpoint: mountpointOf(pool.layout, identity.id),
              user: identityMarks(identity, operation),
            },
          });
          made = clone.dataset;
        } else {
          checkMine(present, operation, identity);
          if (present.state !== "active") throw sealed(present);
        }
        const dataset = made ?? (await pool.zfs.getDataset(name, OURS));
        await open(pool, name, identity.id, dataset);
        return { guid: dataset.guid };
      }),

    /** The mark comes last: an interrupted seal leaves an active volume, which the next start opens again. */
    "volume.seal": ({ id, operation }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        const copy = await needCopy(pool, id, self);
        if (copy.state === "sealed" && copy.sealedBy === operation) return null;
        if (copy.state !== "active") throw sealed(copy);
        await checkUnused(runtime, id);
        await close(pool, copy.dataset, id);
        await pool.zfs.setProperties(copy.dataset, { user: { [MARK.sealedBy]: operation } });
        return null;
      }),

    "volume.unseal": ({ id, operation }) =>
      inTurn(checkId(id), async () => {
        const pool = await storage.ready();
        const copy = await findCopy(pool, id);
        // A volume without the mark may still be closed: open it.
        const mine = copy?.state === "sealed" && copy.sealedBy === operation;
        if (copy?.dataset === undefined || (copy.state !== "active" && !mine)) return null;
        await unmark(pool, copy.dataset, MARK.sealedBy);
        await open(pool, copy.dataset.name, id);
        return null;
      }),
  };
}

/** Holds several volumes, always in the same order, to prevent deadlocks. */
export function allInTurn<T>(
  deps: Pick<VolumeDeps, "inTurn">,
  ids: readonly string[],
  task: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = [...new Set(ids.map(checkId))].sort();
  return first === undefined ? task() : deps.inTurn(first, () => allInTurn(deps, rest, task));
}

export async function ensureParent({ zfs, layout }: Pool, namespace: string): Promise<void> {
  await zfs.ensureDataset(`${layout.volumes}/${namespace}`, {
    ...OURS,
    properties: { mountpoint: "none", canmount: "off" },
  });
}

export function snapshotMissing(id: string, snapshot: string, machine: string): PloyzError {
  return new PloyzError({
    code: "snapshot_missing",
    message: `volume ${id} has no snapshot ${snapshot} of that guid on machine ${machine}`,
    hint: "run the same command again",
  });
}
