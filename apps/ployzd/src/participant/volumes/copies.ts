import type { Dataset, Zfs } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import { type Copy, copiesIn, type Layout, OURS } from "./layout.ts";

/** A working ZFS, and the location of Ployz's volumes in it. */
export interface Pool {
  readonly zfs: Zfs;
  readonly layout: Layout;
}

/** All copies on this machine. Read each time: a cache could be wrong. */
export async function copiesOf({ zfs, layout }: Pool): Promise<readonly Copy[]> {
  return copiesIn(layout, await zfs.listDatasets(layout.root, OURS));
}

/** The copy with this id. During a receive, the incoming copy takes precedence over a retired one with the same id. */
export async function findCopy(pool: Pool, id: string): Promise<Copy | undefined> {
  return meant(await copiesOf(pool), id);
}

/** The same, among copies already listed. */
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
    hint: "find its machine: ployzctl volume ls",
  });
}

export function sealed({ id, state, sealedBy }: Copy): PloyzError {
  const why = sealedBy === undefined ? `is ${state}` : `was sealed by operation ${sealedBy}`;
  return new PloyzError({
    code: "volume_sealed",
    message: `volume ${id} ${why} on this machine`,
    hint: "find the operation with ployzctl ops ls; run its command again, or abort it",
  });
}
