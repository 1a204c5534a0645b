import type { Call } from "./call.ts";
import {
  checkBookmarkName,
  checkDatasetName,
  checkHoldTag,
  checkName,
  checkPoolName,
  checkResumeToken,
  checkSnapshotName,
} from "./names.ts";
import type { NativeProperties } from "./properties.ts";

/**
 * The calls as data. Every name is validated here, so none reaches a program unchecked. Options that differ between OpenZFS and zfs-fuse are
 * chosen by the caller from the capabilities.
 */
const zfs = (subject: string, ...args: string[]): Call => ({ program: "zfs", args, subject });
const zpool = (subject: string, ...args: string[]): Call => ({ program: "zpool", args, subject });

const assignments = (properties: NativeProperties) =>
  Object.entries(properties).flatMap(([name, value]) => ["-o", `${name}=${value}`]);

export type Depth = "self" | "children" | "all";

export interface SendArguments {
  readonly snapshot: string;
  /** A snapshot that the receiver has, or a bookmark of one. */
  readonly base?: string;
  /** Also every snapshot between the two. */
  readonly intermediates?: boolean;
  /** Sends blocks as stored on disk: -c -e. */
  readonly compressed?: boolean;
}

const increment = (base: string | undefined, intermediates: boolean) =>
  base === undefined
    ? []
    : [intermediates ? "-I" : "-i", base.includes("#") ? checkBookmarkName(base) : checkSnapshotName(base)];

export const argv = {
  /** Properties of a dataset or snapshot; with `children` also of its direct children, with `all` of all its descendants. */
  get: (properties: string, name: string, depth: Depth): Call =>
    zfs(
      name,
      "get",
      "-Hp",
      ...{ self: [], children: ["-d", "1"], all: ["-r"] }[depth],
      "-o",
      "name,property,value,source",
      properties,
      name.includes("#") ? checkBookmarkName(name) : checkName(name),
    ),
  /** The same for these names only. */
  getOf: (properties: string, names: readonly string[]): Call =>
    zfs(
      names[0] ?? "",
      "get",
      "-Hp",
      "-o",
      "name,property,value,source",
      properties,
      ...names.map((name) => checkName(name)),
    ),
  /** Only names, parents first. */
  names: (root: string, types: readonly string[]): Call =>
    zfs(root, "list", "-H", "-r", "-o", "name", "-t", types.join(","), checkDatasetName(root)),
  create: (name: string, properties: NativeProperties): Call =>
    zfs(name, "create", ...assignments(properties), checkDatasetName(name)),
  set: (name: string, property: string, value: string): Call =>
    zfs(name, "set", `${property}=${value}`, checkName(name)),
  inherit: (name: string, property: string): Call => zfs(name, "inherit", property, checkName(name)),
  mount: (name: string): Call => zfs(name, "mount", checkDatasetName(name)),
  mountAll: (): Call => zfs("all datasets", "mount", "-a"),
  unmount: (name: string): Call => zfs(name, "unmount", checkDatasetName(name)),
  destroy: (name: string, recursive: boolean): Call =>
    zfs(name, "destroy", ...(recursive ? ["-r"] : []), checkName(name)),
  snapshot: (name: string, properties: NativeProperties, recursive: boolean): Call =>
    zfs(name, "snapshot", ...(recursive ? ["-r"] : []), ...assignments(properties), checkSnapshotName(name)),
  /** One atomic call; the names are of one pool. */
  snapshots: (names: readonly string[], properties: NativeProperties): Call =>
    zfs(names.join(" "), "snapshot", ...assignments(properties), ...names.map(checkSnapshotName)),
  clone: (snapshot: string, target: string, properties: NativeProperties): Call =>
    zfs(target, "clone", ...assignments(properties), checkSnapshotName(snapshot), checkDatasetName(target)),
  promote: (name: string): Call => zfs(name, "promote", checkDatasetName(name)),
  rename: (from: string, to: string): Call => zfs(from, "rename", checkName(from), checkName(to)),
  rollback: (snapshot: string, destroyNewer: boolean): Call =>
    zfs(snapshot, "rollback", ...(destroyNewer ? ["-r"] : []), checkSnapshotName(snapshot)),
  hold: (snapshot: string, tag: string): Call =>
    zfs(snapshot, "hold", checkHoldTag(tag), checkSnapshotName(snapshot)),
  release: (snapshot: string, tag: string): Call =>
    zfs(snapshot, "release", checkHoldTag(tag), checkSnapshotName(snapshot)),
  holds: (snapshot: string): Call => zfs(snapshot, "holds", "-H", checkSnapshotName(snapshot)),
  bookmark: (snapshot: string, bookmark: string): Call =>
    zfs(bookmark, "bookmark", checkSnapshotName(snapshot), checkBookmarkName(bookmark)),

  send: ({ snapshot, base, intermediates, compressed }: SendArguments): Call =>
    zfs(
      snapshot,
      "send",
      ...(compressed === true ? ["-c", "-e"] : []),
      ...increment(base, intermediates === true),
      checkSnapshotName(snapshot),
    ),
  sendResumed: (snapshot: string, token: string): Call =>
    zfs(snapshot, "send", "-t", checkResumeToken(token)),
  sendEstimate: (snapshot: string, base?: string): Call =>
    zfs(snapshot, "send", "-nvP", ...increment(base, false), checkSnapshotName(snapshot)),
  /** Never mounts (-u). `rollBack` (-F) discards everything written since the newest snapshot. */
  receive: (
    dataset: string,
    options: { resumable: boolean; rollBack: boolean; properties: NativeProperties },
  ): Call =>
    zfs(
      dataset,
      "receive",
      "-u",
      ...(options.resumable ? ["-s"] : []),
      ...(options.rollBack ? ["-F"] : []),
      ...assignments(options.properties),
      checkDatasetName(dataset),
    ),

  /** Reads a resume token without sending anything. */
  readToken: (token: string): Call => zfs("a resume token", "send", "-nvt", checkResumeToken(token)),
  abortReceive: (dataset: string): Call => zfs(dataset, "receive", "-A", checkDatasetName(dataset)),

  poolCreate: (name: string, device: string): Call =>
    zpool(name, "create", "-m", "none", checkPoolName(name), device),
  poolDestroy: (name: string): Call => zpool(name, "destroy", checkPoolName(name)),
  poolExport: (name: string): Call => zpool(name, "export", checkPoolName(name)),
  poolImport: (name: string, dir: string, force: boolean): Call =>
    zpool(name, "import", ...(force ? ["-f"] : []), "-d", dir, checkPoolName(name)),
  poolList: (parsable: boolean, name?: string): Call =>
    zpool(
      name ?? "all pools",
      "list",
      parsable ? "-Hp" : "-H",
      "-o",
      "name,guid,health,size",
      ...(name === undefined ? [] : [checkPoolName(name)]),
    ),
  poolStatus: (name: string): Call => zpool(name, "status", checkPoolName(name)),
};
