import { join } from "node:path";
import {
  isLabel,
  isSnapshotName,
  type ObservedVolume,
  type VolumeIdentity,
} from "@ployz/primitives/protocol";
import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";

/**
 * The location of volume copies. A copy's place is its state, so that one atomic rename changes it:
 *
 *     ROOT/volumes/<namespace>/<id>   the volume: active, sealed when `ployz:sealed-by` is set, retired when `ployz:retired-here` is
 *     ROOT/incoming/<id>              names the owner of the copy being received; the copy itself is ROOT/incoming/<id>/data
 *     ROOT/retired/<id>               kept until its retention expires, or a standby when `ployz:standby` is set; `<id>.aside-<digits>`: it had diverged
 *
 * A namespace's volumes have one parent, so that one snapshot of all is atomic. An incoming copy is below a dataset that names its owner,
 * because a received dataset has no Ployz properties until it is complete.
 */
export interface Layout {
  readonly root: string;
  readonly volumes: string;
  readonly incoming: string;
  readonly retired: string;
  /** Parent folder of the mountpoints. */
  readonly mounts: string;
}

export type Place = "volumes" | "incoming" | "retired";

/** Ployz's properties on a copy. There is no `ployz:state`: after a power cut it could contradict the location. */
export const MARK = {
  volume: "ployz:volume",
  id: "ployz:id",
  /** The operation that made this copy. */
  operation: "ployz:operation",
  sealedBy: "ployz:sealed-by",
  retiredAt: "ployz:retired-at",
  /** Retired but still among the volumes: mounted clones prevented its rename. */
  retiredHere: "ployz:retired-here",
  /** It was retired at this time before `ployz:operation` reused it: the undo retires it again. */
  wasRetired: "ployz:was-retired",
  /** A retired copy that follows the volume: the time up to which it holds it. */
  standby: "ployz:standby",
} as const;

/** Properties read of a dataset: Ployz's marks, and the native ones. */
export const OURS = { userProperties: Object.values(MARK) } as const;

/** One copy of a volume on this machine. */
export interface Copy extends VolumeIdentity {
  readonly place: Place;
  readonly state: ObservedVolume["state"];
  /** Absent: an incoming copy without data yet. */
  readonly dataset: Dataset | undefined;
  /** Of an incoming copy: the dataset that names its owner. */
  readonly holder: Dataset | undefined;
  readonly operation: string;
  readonly sealedBy: string | undefined;
  readonly retiredAt: string | undefined;
  readonly wasRetired: string | undefined;
  readonly standby: string | undefined;
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

function check(what: string, is: (text: string) => boolean, text: string): string {
  if (typeof text === "string" && is(text)) return text;
  throw new PloyzError({
    code: "invalid_input",
    message: `${JSON.stringify(String(text).slice(0, 130))} is not ${what}`,
  });
}

/** Validates every dataset and path derived from another machine's input. @throws PloyzError `invalid_input`. */
export const checkId = (id: string): string => check("a volume id", (text) => ID.test(text), id);
export const checkNamespace = (namespace: string): string => check("a namespace", isLabel, namespace);
export const checkSnapshot = (snapshot: string): string => check("a snapshot name", isSnapshotName, snapshot);

export const volumeDataset = (layout: Layout, namespace: string, id: string): string =>
  `${layout.volumes}/${checkNamespace(namespace)}/${checkId(id)}`;
export const holderDataset = (layout: Layout, id: string): string => `${layout.incoming}/${checkId(id)}`;
export const incomingDataset = (layout: Layout, id: string): string => `${holderDataset(layout, id)}/data`;
export const retiredDataset = (layout: Layout, id: string): string => `${layout.retired}/${checkId(id)}`;
/** Deterministic for a dataset, so that a retry finds it. */
export const asideDataset = (layout: Layout, id: string, guid: string): string =>
  `${layout.retired}/${checkId(id)}.aside-${guid.slice(-8)}`;

export const mountpointOf = (layout: Pick<Layout, "mounts">, id: string): string =>
  join(layout.mounts, checkId(id));
/**
 * The folder that an instance gets. It is inside the dataset, not the mountpoint itself: without the mount there is nothing to bind, so an
 * engine that restarts containers cannot start one on an empty folder of the machine's disk.
 */
export const contentOf = (layout: Pick<Layout, "mounts">, id: string): string =>
  join(mountpointOf(layout, id), "data");

/** `wasRetired`: the time when it was retired before, if it was. */
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

/** The copies among all filesystems below the root. Datasets without Ployz's marks are skipped. */
export function copiesIn(layout: Layout, datasets: readonly Dataset[]): readonly Copy[] {
  const byName = new Map(datasets.map((dataset) => [dataset.name, dataset]));
  return datasets.flatMap((dataset): Copy[] => {
    const [place, ...rest] = dataset.name.slice(layout.root.length + 1).split("/");
    if (place === "volumes" && rest.length === 2) {
      const here = dataset.user[MARK.retiredHere] === undefined ? "volumes" : "retired";
      return copy(here, dataset, dataset, undefined);
    }
    if (place === "retired" && rest.length === 1) {
      // The id in its name, not the marked one: a copy set aside is a separate copy.
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
  const standby = place === "volumes" ? undefined : user[MARK.standby];
  return [
    {
      ...{ id, namespace, name, place, state, dataset, holder, operation },
      ...{ sealedBy, retiredAt, wasRetired, standby },
    },
  ];
}
