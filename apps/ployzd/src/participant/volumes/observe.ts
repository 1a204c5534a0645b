import type { ObservedStorage, ObservedVolume } from "@ployz/primitives/protocol";
import type { Pool } from "./copies.ts";
import { type Copy, copiesIn, OURS } from "./layout.ts";

export interface ObservedVolumes {
  readonly storage: ObservedStorage;
  readonly volumes: readonly ObservedVolume[];
}

/** Reads storage and volumes together. Quotas cover all namespaces; volumes only the given ones. */
export async function observeVolumes(
  { zfs, layout }: Pool,
  namespaces: readonly string[] | undefined,
  overcommitRatio: number,
): Promise<ObservedVolumes> {
  const pool = layout.root.split("/")[0] ?? layout.root;
  const [datasets, pools, whole] = await Promise.all([
    zfs.listDatasets(layout.root, OURS),
    zfs.listPools().catch(() => []),
    zfs.findDataset(pool).catch(() => undefined),
  ]);
  const health = pools.find(({ name }) => name === pool)?.health;
  const copies = copiesIn(layout, datasets);
  const root = datasets.find(({ name }) => name === layout.root);
  const [usedBytes, availableBytes] = [root?.usedBytes ?? 0, root?.availableBytes ?? 0];
  return {
    storage: {
      root: layout.root,
      availableBytes,
      usedBytes,
      promisedBytes: copies
        .filter(({ state }) => state === "active")
        .reduce((sum, { dataset }) => sum + (dataset?.refquotaBytes ?? 0), 0),
      // Space available to the root: without other datasets of the pool, and within an operator's quota on it.
      promisableBytes: Math.floor((usedBytes + availableBytes) * overcommitRatio),
      ...(health !== undefined && { health }),
      ...(whole && { poolBytes: whole.usedBytes + (whole.availableBytes ?? 0) }),
    },
    volumes: copies
      // What is left of a transfer that has become the volume.
      .filter(
        ({ id, dataset }) => dataset !== undefined || copies.filter((one) => one.id === id).length === 1,
      )
      .filter(({ namespace }) => namespaces === undefined || namespaces.includes(namespace))
      .map(observed),
  };
}

function observed({
  id,
  namespace,
  name,
  state,
  operation,
  retiredAt,
  standby,
  dataset,
  holder,
}: Copy): ObservedVolume {
  return {
    ...{ id, namespace, name, state, operation },
    guid: (dataset ?? holder)?.guid ?? "",
    usedBytes: (holder ?? dataset)?.usedBytes ?? 0,
    referencedBytes: dataset?.referencedBytes ?? 0,
    ...(dataset?.refquotaBytes !== undefined && { quotaBytes: dataset.refquotaBytes }),
    ...(state === "retired" && retiredAt !== undefined && { retiredAt }),
    ...(state === "retired" && standby !== undefined && { standby }),
  };
}
