import { ExecError, findProgram, run } from "@ployz/exec";
import { PloyzError } from "./error-codes.ts";

/** Features that OpenZFS has and zfs-fuse 0.7 (a ZFS of 2010) lacks. */
export type ZfsFeature =
  | "list_parsable" // list -p, zpool list -p
  | "written"
  | "clones_property"
  | "bookmarks"
  | "list_holds" // zfs holds: zfs-fuse's needs a Python program that its packages lack
  | "resume_tokens" // receive -s, send -t
  | "send_estimate" // send -nvP
  | "send_compressed" // send -c -e
  | "send_raw" // send -w
  | "receive_properties" // receive -o -x
  | "multi_snapshot" // several snapshots in one call
  | "destroy_dry_run" // destroy -nv, ranges
  | "diff"
  | "sync_property"
  | "lz4"
  | "zstd"
  | "snapshot_directory" // .zfs/snapshot
  | "xattr"
  | "import_unmounted"; // zpool import -N

/** Which ZFS this is, and its features. */
export interface ZfsCapabilities {
  readonly implementation: "openzfs" | "zfs-fuse";
  /** `2.1.11-1`, the kernel module's; absent on zfs-fuse, which does not report it. */
  readonly version?: string;
  /** zfs-fuse only: the newest pool version it supports, 23. */
  readonly poolVersion?: number;
  readonly features: ReadonlySet<ZfsFeature>;
}

/** Its capabilities, or why there is no ZFS. */
export type ZfsProbe =
  | { readonly available: true; readonly capabilities: ZfsCapabilities }
  | {
      readonly available: false;
      readonly reason: string;
      readonly hint: string;
      /** zfs-fuse is installed but not running: start it with `ensureZfsFuse`. */
      readonly startable: boolean;
    };

const OPENZFS: readonly ZfsFeature[] = [
  "list_parsable",
  "written",
  "clones_property",
  "bookmarks",
  "list_holds",
  "resume_tokens",
  "send_estimate",
  "send_compressed",
  "send_raw",
  "receive_properties",
  "multi_snapshot",
  "destroy_dry_run",
  "diff",
  "sync_property",
  "lz4",
  "zstd",
  "snapshot_directory",
  "xattr",
  "import_unmounted",
];

/** Output of one program of the probe. */
export interface ProbeOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Reads `zfs version` (OpenZFS 0.8 and newer have it) and `zpool upgrade -v`. */
export function interpretProbe(version: ProbeOutput, upgrade: ProbeOutput, hasFuse: boolean): ZfsProbe {
  const userland = /^zfs-(\d\S*)/m.exec(version.stdout)?.[1];
  const kernel = /^zfs-kmod-(\d\S*)/m.exec(version.stdout)?.[1];
  const said = version.stderr.trim().split("\n")[0] ?? "";
  const no = (reason: string, hint: string, startable = false): ZfsProbe => ({
    available: false,
    reason,
    hint,
    startable,
  });
  if (/permission denied/i.test(version.stderr))
    return no(`this user may not use ZFS (${said})`, "run as root");
  if (userland !== undefined) {
    if (version.exitCode !== 0 || kernel === undefined || /not loaded|auto-loaded/i.test(upgrade.stderr)) {
      return no(
        `OpenZFS ${userland} is installed, but its kernel module is not loaded`,
        "modprobe zfs; if there is no such module: apt-get install zfs-dkms linux-headers-$(uname -r)",
      );
    }
    if (!/^[2-9]|^\d\d/.test(kernel)) {
      return no(`OpenZFS ${kernel} is too old`, "upgrade to OpenZFS 2.0 or newer; 2.1 and newer are tested");
    }
    return {
      available: true,
      capabilities: { implementation: "openzfs", version: kernel, features: new Set(OPENZFS) },
    };
  }
  if (/zfs-fuse daemon|failed to initialize zfs library/i.test(version.stderr)) {
    return hasFuse
      ? no(
          "zfs-fuse is installed but not running",
          "start the Ployz daemon, which runs it, or: service zfs-fuse start",
          true,
        )
      : no(
          `ZFS does not answer (${said})`,
          "apt-get install zfsutils-linux, or zfs-fuse where no kernel module can be loaded",
        );
  }
  const poolVersion = /running ZFS pool version (\d+)/.exec(upgrade.stdout)?.[1];
  if (poolVersion !== undefined) {
    return {
      available: true,
      capabilities: { implementation: "zfs-fuse", poolVersion: Number(poolVersion), features: new Set() },
    };
  }
  return no(
    `an unknown ZFS is installed (${said})`,
    "install OpenZFS 2.1 or newer (zfsutils-linux), or zfs-fuse 0.7",
  );
}

/** Reads the version and features of this machine's ZFS. Changes nothing. */
export async function probeZfs(): Promise<ZfsProbe> {
  const [zfs, fuse] = await Promise.all([findProgram("zfs"), findProgram("zfs-fuse")]);
  if (zfs === undefined) {
    return {
      available: false,
      reason: "ZFS is not installed",
      hint: "apt-get install zfsutils-linux, or zfs-fuse where no kernel module can be loaded",
      startable: false,
    };
  }
  const [version, upgrade] = await Promise.all([output("zfs", "version"), output("zpool", "upgrade", "-v")]);
  const probe = interpretProbe(version, upgrade, fuse !== undefined);
  if (!probe.available || probe.capabilities.implementation === "openzfs") return probe;
  // So far zfs-fuse's tools have only connected, which works even with a dying daemon's socket. This call needs an answer.
  const answer = await output("zpool", "list", "-H", "-o", "name");
  return answer.exitCode === 0 ? probe : interpretProbe(NOT_ANSWERING, upgrade, fuse !== undefined);
}

const NOT_ANSWERING: ProbeOutput = { stdout: "", stderr: "failed to initialize ZFS library", exitCode: 1 };

/** @throws PloyzError `zfs_unavailable`. */
export function requireAvailable(probe: ZfsProbe): ZfsCapabilities {
  if (probe.available) return probe.capabilities;
  throw new PloyzError({
    code: "zfs_unavailable",
    message: `volumes cannot be used on this machine: ${probe.reason}`,
    hint: probe.hint,
  });
}

async function output(program: string, ...args: string[]): Promise<ProbeOutput> {
  try {
    return await run(program, args, { env: { LC_ALL: "C" }, timeoutMs: 10_000, okExitCodes: [0, 1, 2] });
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return { stdout: "", stderr: error.stderr, exitCode: error.exitCode ?? -1 };
  }
}

/** @throws PloyzError `feature_missing`. */
export function requireFeature(capabilities: ZfsCapabilities, feature: ZfsFeature, what: string): void {
  if (capabilities.features.has(feature)) return;
  throw new PloyzError({
    code: "feature_missing",
    message: `${capabilities.implementation} has no ${what}`,
    hint: "ask capabilities.features before; OpenZFS 2.x has it",
  });
}
