import { isAbsolute } from "node:path";
import { checkUserProperty, propertyInvalid } from "./names.ts";

/** Properties that may be set on a dataset. Sizes in bytes, `"none"` lifts a limit; zfsprops(7). */
export interface SettableProperties {
  readonly quotaBytes?: number | "none";
  readonly refquotaBytes?: number | "none";
  readonly reservationBytes?: number | "none";
  readonly refreservationBytes?: number | "none";
  /** A power of two, 512 to 131,072. */
  readonly recordsizeBytes?: number;
  /** An absolute path, or not mounted by ZFS. */
  readonly mountpoint?: string | "none" | "legacy";
  readonly canmount?: "on" | "off" | "noauto";
  readonly compression?: "on" | "off" | "lz4" | "zstd" | "gzip" | "lzjb" | "zle";
  readonly atime?: boolean;
  readonly readonly?: boolean;
  readonly logbias?: "latency" | "throughput";
  readonly primarycache?: "all" | "metadata" | "none";
  /** Not on zfs-fuse (feature `sync_property`). */
  readonly sync?: "standard" | "always" | "disabled";
  /** User properties, `ployz:volume` and the like. */
  readonly user?: Readonly<Record<string, string>>;
}

/** Names and values for `zfs set`. */
export type NativeProperties = Readonly<Record<string, string>>;

const SIZES = {
  quotaBytes: "quota",
  refquotaBytes: "refquota",
  reservationBytes: "reservation",
  refreservationBytes: "refreservation",
} as const;

const WORDS = ["canmount", "compression", "logbias", "primarycache", "sync"] as const;

/** @throws PloyzError `property_invalid`. */
export function nativeProperties(properties: SettableProperties): NativeProperties {
  const native: Record<string, string> = {};
  for (const [name, target] of Object.entries(SIZES) as [keyof typeof SIZES, string][]) {
    const size = properties[name];
    if (size === undefined) continue;
    if (size !== "none" && (!Number.isSafeInteger(size) || size <= 0)) {
      throw propertyInvalid(`${target} must be a positive number of bytes or "none", not ${size}`);
    }
    native[target] = String(size);
  }
  const record = properties.recordsizeBytes;
  if (record !== undefined) {
    if (record < 512 || record > 131_072 || !Number.isInteger(Math.log2(record))) {
      throw propertyInvalid(`recordsize must be a power of two from 512 to 131072, not ${record}`);
    }
    Object.assign(native, { recordsize: String(record) });
  }
  if (properties.mountpoint !== undefined) {
    Object.assign(native, { mountpoint: checkMountpoint(properties.mountpoint) });
  }
  for (const name of WORDS) {
    const value = properties[name];
    if (value === undefined) continue;
    if (!/^[a-z0-9-]{1,20}$/.test(value))
      throw propertyInvalid(`${JSON.stringify(value)} is not a valid value for ${name}`);
    native[name] = value;
  }
  for (const name of ["atime", "readonly"] as const) {
    if (properties[name] !== undefined) native[name] = properties[name] ? "on" : "off";
  }
  for (const [name, value] of Object.entries(properties.user ?? {})) {
    checkUserProperty(name, value);
    native[name] = value;
  }
  return native;
}

/** Whether the value that `zfs get -Hp` prints equals the wanted one: a lifted limit prints as 0. */
export function sameValue(wanted: string, printed: string | undefined): boolean {
  return wanted === printed || (wanted === "none" && printed === "0");
}

function checkMountpoint(path: string): string {
  if (path === "none" || path === "legacy") return path;
  if (!isAbsolute(path) || /\p{Cc}/u.test(path) || path.split("/").includes("..") || path.length > 1023) {
    throw propertyInvalid(`${JSON.stringify(path.slice(0, 80))} is not an absolute mount path`);
  }
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}
