import { ExecError } from "@ployz/exec";
import { PloyzError, type ZfsErrorCode } from "./error-codes.ts";

interface Rule {
  readonly match: RegExp;
  readonly code: ZfsErrorCode;
  readonly hint?: string;
}

/** Messages of zfs and zpool, from the sources of libzfs_util.c in OpenZFS 2.x and of zfs-fuse 0.7. The first match counts. */
const RULES: readonly Rule[] = [
  {
    match:
      /failed to initialize zfs library|zfs modules (are not loaded|cannot be auto-loaded)|zfs-fuse daemon is running/i,
    code: "zfs_unavailable",
    hint: "start it: modprobe zfs, or zfs-fuse; for details run `ployzctl doctor`",
  },
  {
    match: /permission denied|operation not permitted|must be (root|superuser)/i,
    code: "permission_denied",
    hint: "run as root",
  },
  { match: /tag already exists/i, code: "hold_exists" },
  { match: /no such tag/i, code: "hold_missing" },
  {
    match: /destination .* has been modified/i,
    code: "destination_modified",
    hint: "it was written to since its newest snapshot: snapshot or move its contents, then send again",
  },
  { match: /destination .* exists/i, code: "destination_exists", hint: "receive into another name" },
  {
    match: /partially-complete state/i,
    code: "destination_partial",
    hint: "continue with its resume token, or discard the partial receive: zfs receive -A DATASET",
  },
  {
    match:
      /does not\s+match incremental source|incremental source .*does not exist|incremental source must be in same|not an earlier snapshot|destination .* does not exist/i,
    code: "base_missing",
    hint: "send from a snapshot that both sides have, or send in full",
  },
  {
    match: /failed to read from stream|incomplete stream|invalid backup stream/i,
    code: "receive_interrupted",
    hint: "the stream ended early; send again",
  },
  {
    match:
      /invalid stream|bad magic|checksum mismatch|stream .*unsupported|unsupported .*stream|pool must be upgraded/i,
    code: "stream_invalid",
  },
  { match: /conflicting snapshot/i, code: "snapshot_conflict", hint: "rename one of the two snapshots" },
  { match: /more recent snapshots (or bookmarks )?exist/i, code: "newer_snapshots" },
  { match: /(dataset already|bookmark) exists/i, code: "dataset_exists" }, // before "busy": rename says both
  { match: /parent does not exist/i, code: "parent_missing" },
  {
    match: /has (dependent clones|children|snapshots)|dependent clones|clones of previous snapshots/i,
    code: "has_dependents",
  },
  {
    match: /is busy|umount failed/i,
    code: "dataset_busy",
    hint: "a process has files open in it; list processes: fuser -vm MOUNTPOINT",
  },
  { match: /no such pool|no pools available to import/i, code: "pool_missing" },
  {
    match:
      /dataset does not exist|no such dataset|could not send .* does not exist|could not find any snapshots|snapshot .*does not exist|no such snapshot/i,
    code: "dataset_missing",
  },
  {
    match: /pool already exists|pool with that name already exists|pool .* already exists/i,
    code: "pool_exists",
  },
  {
    match: /may be in use from other system|previously in use from another system|last accessed by/i,
    code: "pool_in_use",
    hint: "if no other machine uses its devices now: zpool import -f",
  },
  {
    match: /part of (active|exported|potentially active) pool|is in use|contains a filesystem/i,
    code: "device_in_use",
  },
  { match: /less than the minimum size|device is too small/i, code: "device_too_small" },
  {
    match: /out of space|no space left/i,
    code: "no_space",
    hint: "free space in the pool, or add a device to it",
  },
  { match: /quota exceeded|less than current used or reserved/i, code: "quota_exceeded" },
  {
    match:
      /insufficient replicas|i\/o is currently suspended|pool is (faulted|unavailable|suspended)|missing devices/i,
    code: "pool_faulted",
    hint: "check its devices: zpool status -x",
  },
  {
    match:
      /invalid property|bad property|bad numeric value|must be (one of|an? )|is readonly|read-?only property|cannot be (set|inherited)|property .* (not supported|too long)|invalid value/i,
    code: "property_invalid",
  },
  {
    match:
      /invalid (dataset|pool|snapshot|character)|name must begin|name is (reserved|too long)|trailing slash|empty component|leading slash|multiple '@'/i,
    code: "name_invalid",
  },
  { match: /cannot mount|failed to create mountpoint|mountpoint or dataset/i, code: "mount_failed" },
];

/** Turns a failed zfs or zpool call into a typed error; returns any other error unchanged. */
export function zfsError(error: unknown, subject: string): unknown {
  if (!(error instanceof ExecError) || error.code !== "exec_failed") return error;
  const rule = classify(error.stderr);
  const dependents = dependentsIn(error.stderr);
  const said = sentence(error.stderr);
  return new PloyzError(
    {
      code: rule?.code ?? "zfs_failed",
      message:
        said === ""
          ? `${error.program} failed on ${subject} without an error message`
          : `${subject}: ${said}`,
      ...(rule?.hint !== undefined && { hint: rule.hint }),
      details: { subject, stderr: error.stderr.slice(-2000), ...(dependents.length > 0 && { dependents }) },
    },
    { cause: error },
  );
}

/**
 * zfs-fuse says so of a rollback while it still releases the mount of the dataset: a file system that goes cannot be resumed. An error of a
 * disk reads the same, and stays.
 */
export const isHalfReleased = (error: unknown): boolean =>
  hasCode(error, "zfs_failed") && /cannot rollback '.*': I\/O error$/.test(error.message);

/** Only the part before the usage text: an unknown option prints every property. */
function classify(stderr: string): Rule | undefined {
  const text = stderr.split(/^usage:/m)[0] ?? "";
  return RULES.find(({ match }) => match.test(text));
}

/** The first line; two where zfs breaks one sentence. */
function sentence(stderr: string): string {
  const [first = "", second = ""] = stderr.trim().split("\n");
  return /^(match incremental|since most recent)/.test(second) ? `${first} ${second}` : first;
}

/** The names that destroy and rollback list after "use '-R' to destroy the following datasets:". */
function dependentsIn(stderr: string): readonly string[] {
  const [, list] = stderr.split(/use '-[rR]' to (?:destroy|force deletion of) the following [a-z ]+:\n/);
  return (list ?? "").split("\n").filter((line) => /^\S+$/.test(line));
}

export function hasCode(error: unknown, ...codes: readonly ZfsErrorCode[]): error is PloyzError {
  return error instanceof PloyzError && (codes as readonly string[]).includes(error.code);
}
