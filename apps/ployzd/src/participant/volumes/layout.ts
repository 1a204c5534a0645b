import { join } from "node:path";
import type { ObservedVolume, VolumeIdentity } from "@ployz/primitives";
import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";

/**
 * Where copies of volumes are. A copy's place says what it is for, so that one rename, which is atomic, changes it:
 *
 *     ROOT/volumes/<namespace>/<id>   the volume: active, sealed when `ployz:sealed-by` is set, retired when `ployz:retired-here` is
 *     ROOT/incoming/<id>              says whose copy is being received; the copy itself is ROOT/incoming/<id>/data
 *     ROOT/retired/<id>               kept until the retention lets it go; `<id>.aside-<digits>`: it had diverged
 *
 * A namespace's volumes have one parent, so that one snapshot of all is atomic. An incoming copy is below a dataset that says whose it
 * is, because a received dataset has no properties of ours before it is whole.
 */
export interface Layout {
  readonly root: string;
  readonly volumes: string;
  readonly incoming: string;
  readonly retired: string;
  /** Folder of the mountpoints. */
  readonly mounts: string;
}

export type Place = "volumes" | "incoming" | "retired";

/** Properties of ours on a copy. `ployz:state` does not exist: two truths could differ after a power cut. */
export const MARK = {
  volume: "ployz:volume",
  id: "ployz:id",
  /** Who made this copy. */
  operation: "ployz:operation",
  sealedBy: "ployz:sealed-by",
  retiredAt: "ployz:retired-at",
  /** Retired, and still among the volumes: it could not be renamed while clones of it are mounted. */
  retiredHere: "ployz:retired-here",
  /** It was a retired copy, since this time, when `ployz:operation` took it: the undo puts it back. */
  wasRetired: "ployz:was-retired",
} as const;

/** What is read of a dataset: our marks, and what ZFS says of everything. */
export const OURS = { userProperties: Object.values(MARK) } as const;

/** One copy of a volume on this machine. */
export interface Copy extends VolumeIdentity {
  readonly place: Place;
  readonly state: ObservedVolume["state"];
  /** Absent: an incoming copy of which nothing has come yet. */
  readonly dataset: Dataset | undefined;
  /** Of an incoming copy: what says whose it is. */
  readonly holder: Dataset | undefined;
  readonly operation: string;
  readonly sealedBy: string | undefined;
  readonly retiredAt: string | undefined;
  readonly wasRetired: string | undefined;
}

export function layoutOf(root: string, mounts: string): Layout {
  const below = (place: Place) => `${root}/${place}`;
  return {
    root,
    volumes: below("volumes"),
    incoming: below("incoming"),
    retired: below("retired"),
    mounts,
  };
}

const ID = /^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){0,159}$/;
const LABEL = /^[a-z0-9][a-z0-9-]{0,62}$/;
const SNAPSHOT = /^[a-z0-9][a-z0-9_.-]{0,79}$/;

function check(what: string, pattern: RegExp, text: string): string {
  if (typeof text === "string" && pattern.test(text)) return text;
  throw new PloyzError({
    code: "invalid_input",
    message: `${JSON.stringify(String(text).slice(0, 130))} is not ${what}`,
  });
}

/** Guards every dataset and path made from what another machine says. @throws PloyzError `invalid_input`. */
export const checkId = (id: string): string => check("a volume id", ID, id);
export const checkNamespace = (namespace: string): string => check("a namespace", LABEL, namespace);
export const checkSnapshot = (snapshot: string): string => check("a snapshot name", SNAPSHOT, snapshot);

export const volumeDataset = (layout: Layout, namespace: string, id: string): string =>
  `${layout.volumes}/${checkNamespace(namespace)}/${checkId(id)}`;
export const holderDataset = (layout: Layout, id: string): string => `${layout.incoming}/${checkId(id)}`;
export const incomingDataset = (layout: Layout, id: string): string => `${holderDataset(layout, id)}/data`;
export const retiredDataset = (layout: Layout, id: string): string => `${layout.retired}/${checkId(id)}`;
/** The same name each time for the same dataset, so that a repeated try finds it. */
export const asideDataset = (layout: Layout, id: string, guid: string): string =>
  `${layout.retired}/${checkId(id)}.aside-${guid.slice(-8)}`;

export const mountpointOf = (layout: Pick<Layout, "mounts">, id: string): string =>
  join(layout.mounts, checkId(id));
/**
 * What an instance gets. Not the mountpoint itself: this folder is in the dataset, so that where it is not mounted there is nothing to
 * bind, and no engine that starts its containers by itself can start one on an empty folder of the machine's disk.
 */
export const contentOf = (layout: Pick<Layout, "mounts">, id: string): string =>
  join(mountpointOf(layout, id), "data");

/** `wasRetired`: since when it was a retired copy, if it was one. */
export function identityMarks(
  { id, namespace, name }: VolumeIdentity,
  operation: string,
  wasRetired?: string,
): Readonly<Record<string, string>> {
  return {
    [MARK.volume]: `${namespace}/${name}`,
    [MARK.id]: id,
    [MARK.operation]: operation,
    ...(wasRetired !== undefined && { [MARK.wasRetired]: wasRetired }),
  };
}

/** The copies among all filesystems below the root. Datasets without our marks are not ours. */
export function copiesIn(layout: Layout, datasets: readonly Dataset[]): readonly Copy[] {
  const byName = new Map(datasets.map((dataset) => [dataset.name, dataset]));
  return datasets.flatMap((dataset): Copy[] => {
    const [place, ...rest] = dataset.name.slice(layout.root.length + 1).split("/");
    if (place === "volumes" && rest.length === 2) {
      const here = dataset.user[MARK.retiredHere] === undefined ? "volumes" : "retired";
      return copy(here, dataset, dataset, undefined);
    }
    if (place === "retired" && rest.length === 1) {
      // Its own id, not the marked one: a copy that was set aside is one of its own.
      return copy("retired", dataset, dataset, undefined, rest[0]);
    }
    if (place === "incoming" && rest.length === 1)
      return copy("incoming", dataset, byName.get(`${dataset.name}/data`), dataset);
    return [];
  });
}

function copy(
  place: Place,
  { user }: Dataset,
  dataset: Dataset | undefined,
  holder: Dataset | undefined,
  ownId?: string,
): Copy[] {
  const [namespace, name] = (user[MARK.volume] ?? "").split("/");
  const id = ownId ?? user[MARK.id];
  if (namespace === undefined || name === undefined || id === undefined) return [];
  const sealedBy = place === "volumes" ? user[MARK.sealedBy] : undefined;
  const state = place === "volumes" ? (sealedBy === undefined ? "active" : "sealed") : place;
  const operation = user[MARK.operation] ?? "";
  const [retiredAt, wasRetired] = [user[MARK.retiredAt], user[MARK.wasRetired]];
  return [
    { ...{ id, namespace, name, place, state, dataset, holder, operation }, sealedBy, retiredAt, wasRetired },
  ];
}
