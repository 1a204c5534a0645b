import type { Call } from "./call.ts";
import { checkDatasetName, checkPoolName, checkSnapshotName } from "./names.ts";
import type { NativeProperties } from "./properties.ts";

/**
 * The calls as data. Every name is checked here, so none reaches a program unchecked. Options that differ between OpenZFS and zfs-fuse are
 * chosen by the caller from the capabilities.
 */
const zfs = (subject: string, ...args: string[]): Call => ({ program: "zfs", args, subject });
const zpool = (subject: string, ...args: string[]): Call => ({ program: "zpool", args, subject });

const assignments = (properties: NativeProperties) =>
  Object.entries(properties).flatMap(([name, value]) => ["-o", `${name}=${value}`]);

export const argv = {
  /** Properties of a dataset or snapshot, and of what is below it when `recursive`. */
  get: (property: "all" | "guid", name: string, recursive: boolean): Call =>
    zfs(
      name,
      "get",
      "-Hp",
      ...(recursive ? ["-r"] : []),
      "-o",
      "name,property,value,source",
      property,
      name.includes("@") ? checkSnapshotName(name) : checkDatasetName(name),
    ),
  create: (name: string, properties: NativeProperties): Call =>
    zfs(name, "create", ...assignments(properties), checkDatasetName(name)),
  set: (name: string, property: string, value: string): Call =>
    zfs(name, "set", `${property}=${value}`, checkDatasetName(name)),
  inherit: (name: string, property: string): Call => zfs(name, "inherit", property, checkDatasetName(name)),
  mount: (name: string): Call => zfs(name, "mount", checkDatasetName(name)),
  mountAll: (): Call => zfs("all datasets", "mount", "-a"),
  unmount: (name: string): Call => zfs(name, "unmount", checkDatasetName(name)),
  destroy: (name: string, recursive: boolean): Call =>
    zfs(
      name,
      "destroy",
      ...(recursive ? ["-r"] : []),
      name.includes("@") ? checkSnapshotName(name) : checkDatasetName(name),
    ),
  snapshot: (name: string, properties: NativeProperties, recursive: boolean): Call =>
    zfs(name, "snapshot", ...(recursive ? ["-r"] : []), ...assignments(properties), checkSnapshotName(name)),
  clone: (snapshot: string, target: string, properties: NativeProperties): Call =>
    zfs(target, "clone", ...assignments(properties), checkSnapshotName(snapshot), checkDatasetName(target)),

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
