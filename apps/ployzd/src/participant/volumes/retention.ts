import type { Dataset } from "@ployz/zfs";
import type { Retention } from "../../config/load.ts";
import { dependentsOf, isHeld } from "./dependents.ts";
import type { Copy, Layout } from "./layout.ts";
import { snapshotName } from "./world.ts";

const DAY_MS = 86_400_000;

/** Something that the retention lets go of: a snapshot, or a retired copy with all its snapshots. */
export interface Expired {
  readonly dataset: Dataset;
  readonly name: string;
  /** Clones, or snapshots that are being sent. Not empty: it stays. */
  readonly dependents: readonly string[];
}

/**
 * What is beyond the retention: neither among the last of its volume nor young. The newest snapshot of a copy always stays: it is what
 * the next transfer of the difference begins from. An incoming copy is its operation's. Pure.
 */
export function expired(
  layout: Layout,
  namespace: string,
  copies: readonly Copy[],
  everything: readonly Dataset[],
  { last, days }: Retention,
  now: number,
): readonly Expired[] {
  const old = (at: number) => now - at > days * DAY_MS;
  const kept = copies.filter((copy) => copy.namespace === namespace && copy.place !== "incoming");
  const filesystems = everything.filter(({ type }) => type === "filesystem");
  const snapshotsOf = (name: string) =>
    everything.filter((one) => one.type === "snapshot" && one.name.startsWith(`${name}@`));

  const goneCopies = [...new Set(kept.map(({ name }) => name))].flatMap((volume) =>
    kept
      .filter(({ name, place }) => name === volume && place === "retired")
      .sort((a, b) => retiredAt(b) - retiredAt(a))
      .slice(last)
      .filter((copy) => old(retiredAt(copy))),
  );
  const copiesGone = goneCopies.flatMap(({ id, dataset }): Expired[] => {
    if (dataset === undefined) return [];
    const held = snapshotsOf(dataset.name).filter(isHeld);
    const clones = dependentsOf(dataset.name, filesystems);
    return [{ dataset, name: id, dependents: [...clones, ...held.map(({ name }) => name)] }];
  });
  const snapshotsGone = kept
    .filter((copy) => !goneCopies.includes(copy))
    .flatMap(({ id, dataset }): Expired[] =>
      dataset === undefined
        ? []
        : snapshotsOf(dataset.name)
            .slice(0, -Math.max(1, last))
            .filter(({ createdAt }) => old(createdAt))
            .map((snapshot) => ({
              dataset: snapshot,
              name: `${id}@${snapshotName(snapshot)}`,
              dependents: [
                ...dependentsOf(snapshot.name, filesystems),
                ...(isHeld(snapshot) ? ["a transfer"] : []),
              ],
            })),
    );
  // Of the common parent: left when a snapshot of several volumes was cut off. Nothing is in it.
  const leftovers = snapshotsOf(`${layout.volumes}/${namespace}`)
    .filter(({ createdAt }) => now - createdAt > DAY_MS)
    .map((dataset): Expired => ({ dataset, name: `${namespace}@${snapshotName(dataset)}`, dependents: [] }));
  return [...copiesGone, ...snapshotsGone, ...leftovers];
}

/** A copy without a time is taken for a new one. */
const retiredAt = ({ retiredAt }: Copy): number => {
  const at = Date.parse(retiredAt ?? "");
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at;
};
