import type { Readable } from "node:stream";
import { PloyzError } from "@ployz/exec";
import type { Machines, ObservedSnapshot, VolumeIdentity } from "@ployz/primitives";
import type { Runtime } from "@ployz/runtime";
import type { Dataset, Zfs } from "@ployz/zfs";
import type { Retention } from "../../config/load.ts";
import { usesOf } from "../labels.ts";
import { type Copy, copiesIn, type Layout, OURS } from "./layout.ts";
import type { Storage } from "./storage.ts";

/** What the commands on volumes need of the machine. */
export interface VolumeWorld {
  readonly self: string;
  readonly storage: Storage;
  readonly runtime: Pick<Runtime, "kind" | "list" | "images">;
  readonly retention: Retention;
  /** What is done to one volume is done in turn, an instance's start on it included. */
  inTurn<T>(id: string, task: () => Promise<T>): Promise<T>;
  now(): number;
  log(error: unknown): void;
}

/** What transfers need besides. */
export interface PullWorld extends VolumeWorld {
  readonly machines: Machines;
  /** Fetches an offered stream from another machine's transfer port. */
  fetch(machine: string, token: string, signal: AbortSignal): Promise<Readable>;
}

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

/** @throws PloyzError `dataset_foreign`: another operation's copy, or another volume's. */
export function checkMine(copy: Copy, operation: string, identity?: VolumeIdentity): void {
  const other =
    identity !== undefined && (copy.namespace !== identity.namespace || copy.name !== identity.name);
  if (!other && copy.operation === operation) return;
  throw new PloyzError({
    code: "dataset_foreign",
    message: other
      ? `volume ${copy.id} is ${copy.namespace}/${copy.name} here, not ${identity.namespace}/${identity.name}`
      : `the copy of ${copy.id} on this machine was made by operation ${copy.operation}, not by this one`,
    hint: "ployzctl ops ls shows the operations",
  });
}

/** The instance that runs on the volume, if any. One that waits for its next life counts. */
export async function userOf(
  runtime: Pick<Runtime, "list">,
  id: string,
  except?: string,
): Promise<string | undefined> {
  const listed = await runtime.list();
  return listed.find(
    (one) =>
      one.id !== except && one.state === "running" && usesOf(one.labels).some((volume) => volume.id === id),
  )?.id;
}

/** @throws PloyzError `volume_in_use`. */
export async function checkUnused(
  runtime: Pick<Runtime, "list">,
  id: string,
  except?: string,
): Promise<void> {
  const user = await userOf(runtime, id, except);
  if (user === undefined) return;
  throw new PloyzError({
    code: "volume_in_use",
    message: `${user} runs on volume ${id}`,
    hint: "it has to be stopped first",
    details: { instance: user },
  });
}

/** Oldest first. Without its user properties, which would take four times as long. */
export const snapshotsOf = ({ zfs }: Pool, name: string): Promise<readonly Dataset[]> =>
  zfs.listSnapshots(name, { userProperties: [] });

export const snapshotName = ({ name }: Pick<Dataset, "name">): string => name.slice(name.indexOf("@") + 1);

export function observedSnapshot(snapshot: Dataset): ObservedSnapshot {
  return {
    name: snapshotName(snapshot),
    guid: snapshot.guid,
    createdAt: new Date(snapshot.createdAt).toISOString(),
    usedBytes: snapshot.usedBytes,
  };
}
