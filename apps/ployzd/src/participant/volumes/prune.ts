import type { Handlers } from "../handlers.ts";
import { checkNamespace, copiesIn } from "./layout.ts";
import { type Expired, expired } from "./retention.ts";
import type { VolumeWorld } from "./world.ts";

/** The only command that lets go of data for good, by the retention that the operator has set. */
export function pruneEffect(world: VolumeWorld): Pick<Handlers, "volume.prune"> {
  const { storage, inTurn, retention } = world;
  return {
    "volume.prune": async ({ namespace, dryRun }, { signal }) => {
      const { zfs, layout } = await storage.ready();
      checkNamespace(namespace);
      const everything = await zfs.listDatasets(layout.root, { types: ["filesystem", "snapshot"] });
      const copies = copiesIn(
        layout,
        everything.filter(({ type }) => type === "filesystem"),
      );
      const all = expired(layout, namespace, copies, everything, retention, world.now());
      const blocked = all.filter(({ dependents }) => dependents.length > 0);
      const destroyed: Expired[] = [];
      for (const one of all.filter(({ dependents }) => dependents.length === 0)) {
        signal.throwIfAborted();
        if (!dryRun) {
          const recursive = one.dataset.type === "filesystem";
          await inTurn(one.name.split("@")[0] ?? one.name, () =>
            zfs.destroyDataset(one.dataset.name, { recursive, guid: one.dataset.guid }),
          );
        }
        destroyed.push(one);
      }
      return {
        destroyed: destroyed.map(({ name }) => name),
        blocked: blocked.map(({ name, dependents }) => ({ name, dependents })),
        freedBytes: destroyed.reduce((sum, { dataset }) => sum + dataset.usedBytes, 0),
      };
    },
  };
}
