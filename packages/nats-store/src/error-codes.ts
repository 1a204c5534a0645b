import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/nats-store adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  machine: {
    precondition: {
      nats_server_missing: "nats-server is not installed, or does not run.",
      nats_server_too_old: "nats-server is older than the store needs.",
    },
  },
  store: {
    precondition: {
      invalid_name: "The name cannot be a key in the store.",
      backup_invalid: "The backup file is damaged, or not a backup.",
      backup_other_cluster: "The backup belongs to another cluster.",
      backup_wrong_key: "The passphrase of the backup is wrong, or missing.",
      mirror_empty: "The machine's mirror has no data to recover from.",
      restore_unverified: "The restored store differs from the backup; the previous store is untouched.",
      store_restore_failed: "The store could not be restored; the previous store is untouched.",
      store_snapshot_failed: "The store could not be copied; it is untouched.",
      store_not_empty: "The new store already holds data; the previous store is untouched.",
      store_not_fenced: "The store accepted writes during the copy; the previous store is untouched.",
      store_behind_mirror: "The store ends before this machine's mirror: it lost data.",
      store_closed: "The daemon closed its connection to the store because it is stopping.",
      store_cluster_mismatch: "The folder holds the store of another cluster.",
      store_config_invalid: "nats-server rejects the store's configuration.",
      store_forbidden: "The machine lacks the permission in the store.",
      store_generation_older: "The store on the machine is older than the expected generation.",
      store_generation_retired: "A newer generation replaced the store on the machine.",
      store_generation_unknown: "The machine does not hold this generation of the store.",
      store_not_initialised:
        "The store server lacks a stream: `mesh init` did not set it up, or it belongs to another cluster.",
      store_record_invalid: "The machine's record of the store cannot be read.",
      store_refounded: "The store was rebuilt, and its stream starts from the beginning.",
      store_server_not_ready: "nats-server did not become ready in time.",
      store_fence_lost:
        "Another move of the store took over the fence, or the fence was revoked; start again.",
      store_founding_lost: "Another move of the store founded or fenced this generation; start again.",
      store_generation_exists: "The machine holds this generation of the store, or a newer one.",
      store_two_generations: "An older generation of the store still serves on the machine.",
      store_not_serving: "This generation of the store does not serve on the machine.",
      store_in_use: "This generation of the store is in use on the machine; nothing was removed.",
    },
  },
  operations: {
    precondition: {
      call_interrupted: "The daemon of the called machine restarted during the call.",
      call_cancelled: "The caller cancelled the call.",
      caller_gone: "The calling machine stopped sending heartbeats.",
      command_unknown:
        "The machine runs an older version that does not know the command; the message has its name and version.",
      payload_too_large: "The message is larger than the store transports.",
    },
  },
});

/** Every code that an error of this package may have. */
export type StoreErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<StoreErrorCode> = OperatorError;
export type PloyzError = OperatorError;
