import { defineErrors } from "./registry.ts";

/** The codes that packages which may not import each other share, and those of a usage error or an unreachable machine: they decide the exit code of `ployzctl`. */
export const SHARED_ERRORS = defineErrors({
  command: {
    usage: {
      usage: "The command line names an unknown command or flag, or lacks an argument.",
      config_invalid: "The configuration file cannot be read, has an unknown field, or has a wrong value.",
    },
    failed: {
      internal: "A bug; please report it with the output of `PLOYZ_DEBUG=1`.",
    },
  },
  machine: {
    precondition: {
      arch_unsupported: "The processor is neither x86-64 nor ARM64.",
      disk_full: "The disk does not have enough free space.",
      docker_unavailable: "The Docker engine does not answer.",
      port_taken: "Another program listens on the port.",
      payload_missing:
        "The payload of Ployz is not in `/usr/local/lib/ployz`, or the machine that should provide it no longer has it.",
      daemon_not_ready:
        "The daemon started but did not answer in time; `details.logs` has its last log lines.",
    },
  },
  network: {
    usage: {
      cidr_invalid:
        "The address range is not a network, or the cluster's range cannot hold subnets of this size.",
    },
  },
  ssh: {
    precondition: {
      ssh_auth_failed: "The host accepted no key.",
      ssh_host_key_unknown:
        "The host's key is not in known_hosts: compare `details.fingerprint` with the host's before you accept it.",
      ssh_identity_invalid:
        "The file is not a usable private key; load a key with a passphrase into the agent.",
    },
    unreachable: {
      ssh_unreachable: "The SSH connection could not be made, or was lost.",
    },
  },
  deploy: {
    usage: {
      bundle_invalid: "The bundle is not a tar file that Ployz can unpack.",
    },
  },
  instances: {
    precondition: {
      image_missing: "The image is not on any machine and not in its registry.",
      image_platform_missing: "The image has no variant for the machine's platform.",
      image_invalid: "The reference, manifest or archive of an image is malformed or of an unsupported kind.",
      image_blob_corrupt: "The received content does not have the digest that the image's manifest names.",
      registry_denied: "The registry refuses access: credentials are missing, wrong or not sufficient.",
      registry_unreachable: "The image's registry does not answer, or answers with an error of its own.",
      registry_rate_limited: "The registry limits how often images may be pulled.",
    },
  },
  volumes: {
    usage: {
      volume_file_invalid: "The file is not an exported volume.",
    },
  },
  zfs: {
    precondition: {
      no_space: "The pool has no room for the data, or the quotas would exceed `storage.overcommit_ratio`.",
    },
  },
  store: {
    precondition: {
      backup_missing: "The backup file does not exist or cannot be read.",
    },
    unreachable: {
      store_unavailable: "The store has no quorum: changes are refused, and running workloads continue.",
      store_no_majority: "Too few store machines answer to move the store.",
      store_left_fenced:
        "Too few store machines answer to end the fence of the store, which still refuses writes.",
      store_refounding_unfinished:
        "The store has begun to move to other machines, and the move is not finished; the same command finishes it.",
    },
  },
  operations: {
    precondition: {
      deadline_exceeded: "A step took too long; the message names the awaited condition.",
    },
    unreachable: {
      machine_unreachable: "A machine that the command needs does not answer.",
      stream_interrupted:
        "The connection broke while a machine sent its output, and part of the output was lost.",
    },
  },
});

/** A code that any package may throw. */
export type SharedErrorCode = keyof typeof SHARED_ERRORS;
