import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";
import type { ExecErrorCode } from "@ployz/exec";

/** Every code that @ployz/zfs adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  zfs: {
    precondition: {
      zfs_unavailable: "ZFS cannot be used on the machine; the message says why.",
      zfs_failed:
        "A zfs or zpool command failed for a reason without a code of its own; `details.stderr` has its output.",
      dataset_missing: "The dataset or snapshot does not exist.",
      dataset_exists: "A dataset or bookmark of the name exists.",
      dataset_busy: "A process has files open in the dataset, or it is receiving a stream.",
      dataset_foreign: "The dataset exists and belongs to another owner.",
      snapshot_foreign: "The snapshot exists and belongs to another owner.",
      bookmark_foreign: "The bookmark exists and marks another snapshot.",
      parent_missing: "The parent of the dataset does not exist.",
      has_dependents: "Clones, snapshots or datasets depend on the dataset.",
      newer_snapshots: "The dataset has newer snapshots, which a rollback would destroy.",
      snapshot_conflict: "Two snapshots have the same name.",
      snapshot_held: "A hold keeps the snapshot.",
      hold_exists: "The snapshot has a hold of that tag.",
      hold_missing: "The snapshot has no hold of that tag.",
      guid_mismatch: "The dataset, snapshot or pool has another guid than expected.",
      destination_exists: "The destination of a full stream exists.",
      destination_modified: "The destination changed since the snapshot that the stream starts from.",
      destination_partial:
        "The destination holds an interrupted stream; resume it, or discard it with `zfs receive -A`.",
      base_missing: "The destination lacks the snapshot that the stream starts from.",
      stream_invalid: "The received data is not a valid ZFS stream.",
      resume_token_invalid: "The resume token does not name a snapshot of the machine.",
      send_interrupted: "Sending a stream stopped early; the next attempt resumes it.",
      receive_interrupted: "Receiving a stream stopped early; the next attempt resumes it where ZFS can.",
      feature_missing: "This version of ZFS lacks the needed feature.",
      pool_missing: "The pool does not exist, or is not imported.",
      pool_exists: "A pool of the name exists.",
      pool_faulted: "The pool is faulted or suspended; see `zpool status -x`.",
      pool_in_use: "Another machine used the pool last.",
      pool_options_invalid: "The size or a device of the pool is invalid.",
      device_in_use: "The device holds a file system, or belongs to a pool.",
      device_too_small: "The device is too small for a pool.",
      file_in_use: "The file exists and holds other data than the pool.",
      quota_exceeded: "A quota leaves no room for the data.",
      permission_denied: "ZFS needs root for the command.",
      name_invalid: "The name cannot be a ZFS name.",
      property_invalid: "The property or its value is invalid.",
      mount_failed: "The volume could not be mounted at its path.",
    },
  },
});

/** Every code that an error of this package may have. */
export type ZfsErrorCode = keyof typeof ERRORS | SharedErrorCode | ExecErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<ZfsErrorCode> = OperatorError;
export type PloyzError = OperatorError;
