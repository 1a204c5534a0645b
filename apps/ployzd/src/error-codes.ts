import type { DnsErrorCode } from "@ployz/dns";
import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";
import type { ExecErrorCode } from "@ployz/exec";
import type { GatewayErrorCode } from "@ployz/gateway";
import type { ImagesErrorCode } from "@ployz/images";
import type { StoreErrorCode } from "@ployz/nats-store";
import type { KernelErrorCode } from "@ployz/primitives";
import type { RuntimeErrorCode } from "@ployz/runtime";
import type { WireguardErrorCode } from "@ployz/wireguard";
import type { ZfsErrorCode } from "@ployz/zfs";

/** Every code that ployzd adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  machine: {
    precondition: {
      daemon_running: "Another daemon has the socket.",
      daemon_busy: "The daemon answers as many requests as it can at once.",
      wireguard_missing: "The machine has neither WireGuard in its kernel nor wireguard-go.",
      ip_missing: "iproute2 is not installed.",
      nft_missing: "nftables is not installed.",
      follower_unreachable: "The gateway or DNS process does not answer the daemon.",
    },
  },
  network: {
    failed: {
      path_too_narrow: "The network drops packets as large as the tunnel's MTU: set `wireguard_mtu`.",
    },
  },
  members: {
    precondition: {
      wrong_machine: "The seat was reserved for a machine with other keys.",
      addresses_exhausted: "The machine's subnet has no free address for another instance.",
    },
  },
  invites: {
    precondition: {
      invite_wrong_cluster: "The token is for another cluster.",
      invite_wrong_key:
        "The server at the token's addresses lacks the key that the token pins; nothing was sent to it.",
      too_many_requests: "One address sent more than ten requests at once; wait ten seconds.",
    },
    failed: {
      operation_failed: "The cluster could not finish adding the machine; the message names the operation.",
    },
  },
  tokens: {
    precondition: {
      token_invalid: "The cluster does not know the token, or it was revoked or has expired.",
      token_unknown: "There is no token of that name.",
      token_exists: "There is a token of that name.",
      not_permitted: "The token does not permit the call; the audit log has the try.",
    },
  },
  alerts: {
    failed: {
      alert_failed: "The receiver of an alert does not answer, or did not take the message.",
    },
  },
  streams: {
    precondition: {
      no_such_instance: "The service has no instance of the number, or none at all.",
      port_closed: "The instance accepts no connections on the port.",
    },
    failed: {
      follower_slow: "A follower of the cluster's events reads too slowly: it has to follow again.",
    },
  },
  ssh: {
    precondition: {
      ssh_host_key_revoked: "A known_hosts file has revoked the host's key (@revoked).",
      ssh_host_key_changed: "The host's key differs from known_hosts.",
    },
  },
  update: {
    precondition: {
      payload_invalid: "The new build is damaged or could not be installed.",
    },
    failed: {
      update_reverted: "The new daemon did not start, and the previous build was restored.",
    },
  },
  deploy: {
    failed: {
      digest_mismatch: "The content that arrived does not match its digest.",
    },
  },
  instances: {
    failed: {
      not_ready: "The instance was not ready in time; `details.logs` has its last log lines.",
      instance_exited: "The instance ended before it was ready; `details.logs` has its last log lines.",
      job_failed: "The job ended with an error; `details.logs` has its last log lines.",
      job_timeout: "The job did not end in time; `details.logs` has its last log lines.",
    },
  },
  volumes: {
    precondition: {
      transfer_failed: "A transfer between machines failed.",
      transfer_refused: "The source machine refused the transfer.",
      volume_sealed: "An operation closed the volume on the machine, or the copy is incoming or retired.",
    },
    failed: {
      transfer_unverified:
        "The received snapshot is not the one that was sent; it was not opened for writing.",
      volume_file_damaged: "The file ends too early, or its checksum is wrong; none of it was kept.",
    },
  },
  secrets: {
    precondition: {
      secret_in_use: "Services or jobs use the secret; the message lists them.",
      secret_lost: "The store was recovered without the secret's value: set it again.",
      store_has_no_key: "The store is older than secrets; it gets a key when it moves.",
      not_a_store_machine:
        "The machine does not hold the store, and secrets can be read on store machines only.",
    },
    failed: {
      secrets_missing: "The machine lacks the secrets of an instance; deploying again replaces the instance.",
    },
  },
  store: {
    precondition: {
      store_machine_unfit:
        "A machine cannot hold the store: nats-server is missing or too old, or a port is taken.",
      store_newer_than_backup:
        "The store has changes since the backup, which a restore would discard; pass `--yes` to discard them.",
      store_not_lost: "The store still exists, so `store recover` would replace a good store.",
      store_set_size: "The store runs on 1, 3 or 5 machines, as `--replicas` says; this number is wrong.",
      store_stage_failed:
        "A machine could not found its part of the new store; the previous store is untouched.",
    },
  },
  operations: {
    precondition: {
      no_such_command: "The daemon of the machine does not know the command: its version differs.",
      no_such_route: "ployzctl and ployzd have different versions.",
      fence_missing: "The call lacks the fence of its operation.",
      fence_ahead: "The fence is higher than any lease of the store: no operation holds it.",
    },
    failed: {
      fenced: "A newer operation holds the namespace or machine.",
    },
  },
});

export type DaemonErrorCode =
  | keyof typeof ERRORS
  | SharedErrorCode
  | DnsErrorCode
  | ExecErrorCode
  | GatewayErrorCode
  | ImagesErrorCode
  | StoreErrorCode
  | KernelErrorCode
  | RuntimeErrorCode
  | WireguardErrorCode
  | ZfsErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<DaemonErrorCode> = OperatorError;
export type PloyzError = OperatorError;
