import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";
import type { ExecErrorCode } from "@ployz/exec";
import type { KernelErrorCode } from "@ployz/primitives/client";

/** Every code that ployzctl adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  command: {
    precondition: {
      file_exists: "The output file exists; the command does not overwrite it.",
      file_unreadable: "A given file cannot be read.",
      file_unwritable: "The output file cannot be written.",
      copy_failed: "A file could not be read or written in the instance; the message quotes why.",
      refused: "The daemon refused without a reason.",
      dashboard_missing: "The program was built without the dashboard's page.",
      not_shown: "The dashboard does not read this route of the daemon.",
      read_only: "The dashboard was started without `--write`: it changes nothing.",
    },
  },
  machine: {
    failed: {
      dev_failed: "Docker, or a command in a machine's container, failed; the message quotes it.",
    },
    precondition: {
      linux_only:
        "Machines of a cluster run Linux. On another system ployzctl reaches them through ssh, by a context or `--host`.",
      daemon_not_installed: "The daemon is not installed on this machine.",
      not_dev: "`dev down` removes only a cluster that `dev` made.",
      still_member: "The machine is still a member of a cluster; leave the cluster first.",
      docker_unreachable: "`dev --machines` needs Docker on this computer, and it does not answer.",
      machine_image_missing: "There is no image of a machine for `dev --machines`.",
      machines_left: "`dev --machines` adds machines, and does not remove any.",
      volumes_here:
        "`--purge` would remove the data of volumes: they are mounted in the data folder, or their pool is a file in it.",
    },
  },
  ssh: {
    precondition: {
      ssh_identity_missing: "There is no SSH agent and no private key.",
      ssh_identity_unreadable: "The private key file cannot be read.",
      context_unknown: "There is no context of that name.",
      context_exists: "There is a context of that name with other hosts.",
      token_expired: "The token has expired.",
      token_wrong_key:
        "The machine at the token's address lacks the key that the token pins; nothing was sent to it.",
      container_absent: "Docker on this computer does not know the container, or does not answer.",
      container_stopped: "The container that the context names does not run.",
      remote_not_installed: "The other machine has no ployzctl, or it is too old for `dial-stdio`.",
    },
  },
  volumes: {
    failed: {
      export_damaged: "The exported file is not whole: its checksum is wrong, or its end is missing.",
    },
  },
  deploy: {
    precondition: {
      rest_would_change:
        "`deploy service` would change other services too: a tag now means another image, or a secret was set.",
      builder_missing: "This machine has no program that builds images.",
      build_failed: "The builder could not build the image; `details.lines` has its last lines.",
    },
  },
});

export type CliErrorCode = keyof typeof ERRORS | SharedErrorCode | ExecErrorCode | KernelErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<CliErrorCode> = OperatorError;
export type PloyzError = OperatorError;
