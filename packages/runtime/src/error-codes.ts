import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";
import type { ExecErrorCode } from "@ployz/exec";

/** Every code that @ployz/runtime adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  machine: {
    precondition: {
      runtime_program_missing:
        "A program that the process runtime needs is not installed; the message names it.",
    },
  },
  network: {
    precondition: {
      address_in_use: "Another container has the address.",
      address_invalid: "The address cannot belong to an instance of the machine.",
      network_missing: "The machine has no network for instances yet.",
      network_invalid: "The network of instances, or its policy, has a malformed address.",
      network_conflict: "The Docker engine has a network of the name with another range.",
      network_failed: "The network of instances could not be set up.",
    },
  },
  instances: {
    precondition: {
      instance_invalid: "The specification of the instance is malformed.",
      instance_conflict: "An instance of the id exists and was made from another specification.",
      instance_missing: "The machine has no instance of the id.",
      instance_not_running: "The instance is not running.",
      instance_not_started: "The instance never ran, so it has no exit code.",
      instance_busy: "The instance's folder cannot be removed: a file system is mounted in it.",
      instance_record_damaged: "The record of the instance cannot be read.",
      root_refused: "The machine's configuration refuses programs that run, or may run, as root.",
      right_refused:
        "The machine's configuration does not allow a right that the instance's specification has.",
      user_unknown: "The machine or the image has no such user.",
      group_unknown: "The machine or the image has no such group.",
      mount_source_missing: "The path to mount does not exist on the machine.",
      stats_unavailable: "The instance has no resource counters.",
      image_pull_failed: "The registry does not provide the image; the message has its answer.",
      image_import_failed: "The Docker engine does not accept the image.",
      docker_failed: "The Docker engine answered with an error; the message quotes it.",
    },
    failed: {
      instance_start_failed: "The instance did not start.",
      instance_stuck: "The instance did not end after SIGKILL.",
    },
  },
});

/** Every code that an error of this package may have. */
export type RuntimeErrorCode = keyof typeof ERRORS | SharedErrorCode | ExecErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<RuntimeErrorCode> = OperatorError;
export type PloyzError = OperatorError;
