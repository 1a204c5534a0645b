import type { Handlers } from "../handlers.ts";
import { neededBy } from "./dependents.ts";
import type { VolumeDeps } from "./deps.ts";
import { checkNamespace, OURS } from "./layout.ts";
import { type Expired, expired } from "./retention.ts";

/** The only command that deletes data permanently, by the operator's retention. */
export function pruneEffect(deps: VolumeDeps): Pick<Handlers, "volume.prune" | "volume.expired"> {
  const { storage, inTurn, retention } = deps;
  const look = async (namespace: string): Promise<readonly Expired[]> => {
    const { zfs, layout } = await storage.ready();
    const filesystems = await zfs.listDatasets(layout.root, OURS);
    const snapshots = await zfs.listSnapshotsBelow(layout.root, { userProperties: [] });
    return expired({
      ...{ layout, namespace: checkNamespace(namespace), filesystems, snapshots, retention },
      now: deps.now(),
    });
  };
  return {
    "volume.expired": async ({ namespace }) => {
      const all = await look(namespace);
      const free = all.filter(({ dependents }) => dependents.length === 0);
      const blocked = all.filter(({ dependents }) => dependents.length > 0);
      return {
        names: free.map(({ name }) => name),
        blocked: blocked.map(({ name, dependents }) => ({ name, dependents })),
        freedBytes: free.reduce((sum, { dataset }) => sum + dataset.usedBytes, 0),
      };
    },
    "volume.prune": async ({ namespace }, { signal }) => {
      const { zfs } = await storage.ready();
      const all = await look(namespace);
      const destroyed: Expired[] = [];
      const blocked: Expired[] = [];
      for (const one of all) {
        signal.throwIfAborted();
        const dependents =
          one.dependents.length > 0 ? one.dependents : await inTurn(idOf(one), () => destroy(one));
        if (dependents.length > 0) blocked.push({ ...one, dependents });
        else destroyed.push(one);
      }
      return {
        destroyed: destroyed.map(({ name }) => name),
        blocked: blocked.map(({ name, dependents }) => ({ name, dependents })),
        freedBytes: destroyed.reduce((sum, { dataset }) => sum + dataset.usedBytes, 0),
      };

      /** Resolves with its dependents, including unlisted ones: a clone outside of the root, a newer hold. */
      async function destroy({ dataset }: Expired): Promise<readonly string[]> {
        try {
          const recursive = dataset.type === "filesystem";
          await zfs.destroyDataset(dataset.name, { recursive, guid: dataset.guid });
          return [];
        } catch (error) {
          const dependents = neededBy(error);
          if (dependents === undefined) throw error;
          return dependents;
        }
      }
    },
  };
}

const idOf = ({ name }: Expired): string => name.split("@")[0] ?? name;
