import type { Dataset, Zfs } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import { type Copy, copiesIn, type Layout, OURS } from "./layout.ts";

/** ZFS that answers, and where Ployz keeps its volumes in it. */
export interface Pool {
  readonly zfs: Zfs;
  readonly layout: Layout;
}

/** All copies on this machine. Looked at each time: what is remembered could be wrong. */
export async function copiesOf({ zfs, layout }: Pool): Promise<readonly Copy[]> {
  return copiesIn(layout, await zfs.listDatasets(layout.root, OURS));
}

/** The copy that an id stands for. While one is received, a retired one of the same id is not the one that is meant. */
export async function findCopy(pool: Pool, id: string): Promise<Copy | undefined> {
  return meant(await copiesOf(pool), id);
}

/** The same among copies that were listed before. */
export function meant(all: readonly Copy[], id: string): Copy | undefined {
  const copies = all.filter((copy) => copy.id === id);
  return (
    copies.find(({ place }) => place === "volumes") ??
    copies.find(({ place, dataset }) => place === "incoming" && dataset !== undefined) ??
    copies.find(({ place }) => place === "retired") ??
    copies[0]
  );
}

export type Present = Copy & { readonly dataset: Dataset };

export async function needCopy(pool: Pool, id: string, self: string): Promise<Present> {
  const copy = await findCopy(pool, id);
  if (copy?.dataset !== undefined) return { ...copy, dataset: copy.dataset };
  throw missing(id, self);
}

export function missing(id: string, self: string): PloyzError {
  return new PloyzError({
    code: "volume_missing",
    message: `volume ${id} is not on machine ${self}`,
    hint: "ployzctl volume ls shows where it is",
  });
}

export function sealed({ id, state, sealedBy }: Copy): PloyzError {
  const why = sealedBy === undefined ? `is ${state}` : `was sealed by operation ${sealedBy}`;
  return new PloyzError({
    code: "volume_sealed",
    message: `volume ${id} ${why} on this machine`,
    hint: "ployzctl ops ls shows the operation; run the same command again, or abort it",
  });
}
