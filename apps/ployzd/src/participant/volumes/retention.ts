import type { Dataset } from "@ployz/zfs";
import type { Retention } from "../../config/load.ts";
import { dependentsOf, isHeld } from "./dependents.ts";
import { snapshotName } from "./deps.ts";
import { type Copy, copiesIn, type Layout } from "./layout.ts";

const DAY_MS = 86_400_000;
const OPERATION = /^[0-7][0-9a-hjkmnp-tv-z]{25}(-r[0-9]+)?$/;

/** Whether an operation has made it. One named by an operator, or made by another program, stays until it is removed, and does not count. */
export const isOperations = (snapshot: Pick<Dataset, "name">): boolean =>
  OPERATION.test(snapshotName(snapshot));

/** An expired object: a snapshot, or a retired copy with all its snapshots. */
export interface Expired {
  readonly dataset: Dataset;
  readonly name: string;
  /** Clones, or running sends. If there are any, it stays. */
  readonly dependents: readonly string[];
}

export interface Kept {
  readonly layout: Layout;
  readonly namespace: string;
  /** All datasets below the root. */
  readonly filesystems: readonly Dataset[];
  /** For each dataset oldest first. */
  readonly snapshots: readonly Dataset[];
  readonly retention: Retention;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * Expired objects: neither among the last of their volume nor young. The newest one of an operation always stays: the next incremental
 * transfer needs it as its base. An incoming copy belongs to its operation.
 */
export function expired({
  layout,
  namespace,
  filesystems,
  snapshots,
  retention: { last, days },
  now,
}: Kept): readonly Expired[] {
  const old = (at: number) => now - at > days * DAY_MS;
  const below = (name: string) => snapshots.filter((one) => one.name.startsWith(`${name}@`));
  const copies = copiesIn(layout, filesystems).filter(
    (copy) => copy.namespace === namespace && copy.place !== "incoming",
  );
  const gone = [...new Set(copies.map(({ name }) => name))].flatMap((volume) =>
    copies
      .filter(({ name, place, standby }) => name === volume && place === "retired" && standby === undefined)
      .sort((a, b) => retiredAt(b) - retiredAt(a))
      .slice(last)
      .filter((copy) => old(retiredAt(copy))),
  );

  const wholeCopy = ({ id, dataset }: Copy): readonly Expired[] => {
    if (dataset === undefined) return [];
    const held = below(dataset.name).filter(isHeld);
    const dependents = [...dependentsOf(dataset.name, filesystems), ...held.map(({ name }) => name)];
    return [{ dataset, name: id, dependents }];
  };
  const oldSnapshots = ({ id, dataset }: Copy): readonly Expired[] =>
    (dataset === undefined ? [] : below(dataset.name).filter(isOperations))
      .slice(0, -Math.max(1, last))
      .filter((snapshot) => old(snapshot.createdAt))
      .map((snapshot) => ({
        dataset: snapshot,
        name: `${id}@${snapshotName(snapshot)}`,
        dependents: [
          ...dependentsOf(snapshot.name, filesystems),
          ...(isHeld(snapshot) ? ["a hold, such as a transfer's"] : []),
        ],
      }));
  // An empty snapshot of the common parent, left by an interrupted snapshot of several volumes.
  const leftovers = below(`${layout.volumes}/${namespace}`)
    .filter(({ createdAt }) => now - createdAt > DAY_MS)
    .map((dataset) => ({ dataset, name: `${namespace}@${snapshotName(dataset)}`, dependents: [] }));

  return [
    ...gone.flatMap(wholeCopy),
    ...copies.filter((copy) => !gone.includes(copy)).flatMap(oldSnapshots),
    ...leftovers,
  ];
}

/** A copy without a time counts as new. */
const retiredAt = ({ retiredAt }: Copy): number => {
  const at = Date.parse(retiredAt ?? "");
  return Number.isNaN(at) ? Number.MAX_SAFE_INTEGER : at;
};
