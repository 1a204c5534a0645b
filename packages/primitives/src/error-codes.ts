import {
  defineErrors,
  type ErrorBody,
  type ErrorClass,
  PloyzError as OperatorError,
  SHARED_ERRORS,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/primitives adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  command: {
    usage: {
      invalid_input:
        "A name, an argument or a field of the manifest is wrong; the message starts with the field.",
      plan_too_large: "The plan is larger than a message of the store: too many instances change at once.",
    },
    unreachable: {
      daemon_unreachable: "No daemon answers on the socket, or the connection broke before the result.",
      stream_lost:
        "The connection to a program broke before the program ended; the program was killed, unless the message says that it still runs.",
      detached:
        "The command stopped following a change that cannot be aborted and is still running; the hint names the command that shows its end.",
      daemon_timeout: "The daemon did not answer in time; the requested operation may still be running.",
    },
    aborted: {
      aborted: "The operator aborted the command, and its changes were undone.",
    },
  },
  members: {
    precondition: {
      not_a_member: "The machine is not a member of a cluster.",
      already_member: "The machine is already a member of a cluster.",
      other_cluster: "The machine to add is a member of another cluster.",
      not_root: "The command changes the machine and needs root.",
      packages_missing: "The machine to add lacks packages and has no apt to install them.",
      cidr_overlap: "The cluster's address range overlaps a network of the machine.",
      subnets_exhausted: "The cluster's address range has no free subnet for another machine.",
      store_machine_unreachable:
        "A store machine does not answer, and every store machine must admit the new machine.",
      identity_taken: "Another member has the keys of this machine: its disk is a copy of that member's.",
      name_taken: "Another machine has the name.",
      machine_joining: "The machine is being added, or an interrupted operation has not finished adding it.",
      machine_leaving:
        "The machine is being removed, or an interrupted operation has not finished removing it.",
      remote_failed: "A command on the machine failed; `details` has its output.",
      last_machine: "The last machine of a cluster cannot be removed.",
      holds_the_store: "The machine holds the store, and no other machine can take it.",
      machine_answers: "The machine answers, so `--force` and `--lose` do not apply to it.",
      machine_not_empty: "The machine still has committed workloads or volumes; the message lists them.",
      data_loss_unconfirmed:
        "The volume in `details.volume` exists on the unreachable machine only; `--lose` gives it up.",
      no_such_machine: "No machine has the name.",
      machine_unknown: "No active machine has the name.",
    },
    failed: {
      machine_removed: "The machine to add has keys that were revoked when it was removed.",
    },
  },
  invites: {
    precondition: {
      invite_unknown: "The cluster does not have the invite, or the token's secret is wrong.",
      invite_used: "Another machine used the invite.",
      invite_expired: "The invite expired before it was used.",
      invite_revoked: "The invite was revoked.",
    },
    failed: {
      joiner_gone:
        "The new machine disconnected before it got its answer; its seat and the invite were released.",
    },
  },
  update: {
    precondition: {
      payload_unsigned: "The release key of a machine did not sign the build that the machine would get.",
      payload_not_installed: "The daemon does not run from `/usr/local/lib/ployz`.",
      machine_outdated: "Machines would ignore what the commit adds: their version is too old.",
      daemon_outdated: "Another build was installed on the source machine since its daemon started.",
      arch_differs: "The two machines have different processors.",
      machine_busy: "The daemon to restart is running an operation; the message names it.",
    },
    failed: {
      update_disturbed: "The new daemon restarted running work; the previous build was restored.",
    },
  },
  deploy: {
    precondition: {
      candidates_taken: "Another operation starts candidates in the namespace; run the command again.",
      no_such_namespace: "No namespace has the name.",
      no_such_service: "The namespace has no service or job of the name.",
      no_such_commit: "The namespace has no such commit.",
      commit_ambiguous: "Several commits begin with these characters; use more characters, or the revision.",
      would_remove:
        "The manifest leaves out services or routes of the last commit; `deploy --yes` removes them.",
      commit_removed: "The namespace was removed at that commit.",
      namespace_exists: "A branch creates a new namespace, and a namespace of that name exists.",
      no_machines: "The cluster has no active machine.",
      no_machine_fits: "No machine satisfies the constraints and resources of the workload.",
      machine_draining: "The machine is draining or on standby and receives no workloads.",
      route_taken: "Another namespace or service has the route.",
      image_ambiguous: "Machines have different images under the same tag; use the digest.",
      image_in_use:
        "A commit within the retention, an instance, a prepared plan or an operation needs the image.",
      bundle_missing: "No machine that answers has the bundle.",
      no_route: "The service has no HTTP route.",
      canary_running: "A canary runs: it has to be finished or undone first.",
      canary_refused: "The new version cannot get a share of the service's requests.",
      not_scalable: "The service runs on every machine, or uses a volume with a single writer.",
      not_movable: "The service has several instances and no volume; use constraints to place it.",
      record_unreadable:
        "A commit, a fact or a journal in the store does not fit its schema, or a newer version wrote it.",
      prepared_unknown: "No prepared plan has the id.",
      prepared_expired: "The prepared plan is older than a day.",
      no_such_alert: "The cluster has no alert of the name.",
      prepared_stale: "The cluster changed since the plan was prepared, and the plan would differ.",
    },
  },
  volumes: {
    precondition: {
      no_storage: "The machine has no ZFS for volumes.",
      no_such_schedule: "The namespace has no schedule of the name.",
      no_such_standby: "The volume has no standby on the machine.",
      no_such_volume: "The namespace has no volume of the name.",
      volume_exists: "A volume of the name exists and differs from the requested one.",
      volume_missing:
        "The volume is not on the machine of its commit; Ployz does not create an empty one in its place.",
      volume_in_use: "An instance or a service uses the volume.",
      snapshot_missing: "The volume has no such snapshot on its present machine.",
      snapshot_exists: "The volume has a snapshot of the name, which `volume snapshot` did not take.",
    },
    failed: {
      downtime_exceeded:
        "The last increment of a migration would take longer than `--max-downtime`; the service was not stopped.",
      transfer_stalled: "A volume transfer made no progress for too long; the source still serves.",
    },
  },
  certificates: {
    precondition: {
      certificate_missing: "The cluster has no such certificate, or no certificate is valid for the host.",
      certificate_in_use: "A route over TLS needs the certificate.",
      certificate_invalid: "The certificate or its key is refused; the message says why.",
      dns_provider_missing: "Authorities prove a wildcard by DNS only, and no DNS provider was named.",
      dns_provider_unknown: "No DNS provider has the name, or its secret lacks a field.",
    },
    failed: {
      certificate_refused: "The certificate authority refused the order; the message has its reason.",
      dns_provider_failed: "The DNS provider did not write the record that proves a name.",
      challenge_unreachable: "A gateway does not answer the challenge of the authority.",
    },
    unreachable: {
      authority_unreachable: "The certificate authority does not answer.",
    },
  },
  backups: {
    precondition: {
      no_such_repository: "The cluster has no repository of the name.",
      no_such_backup: "The repository has no such backup.",
      repository_exists: "The name belongs to a repository at another URL.",
      repository_absent: "There is no repository at the URL, as the machine sees it.",
      repository_password_wrong: "The password in the secret is not the repository's.",
      repository_denied:
        "The repository's server refuses the credentials in the secret: wrong, expired or without the right.",
      repository_locked: "Another program uses the repository alone, or died while it did.",
      repository_secret_invalid:
        "The secret of the repository lacks a key, or has one that such a repository does not know.",
      backup_tool_missing: "The machine has no restic, which makes backups; the hint names the package.",
    },
    unreachable: {
      repository_unreachable: "The repository's server does not answer.",
    },
    failed: {
      repository_full: "There is no room for the backup in the repository.",
      backup_damaged: "Data in the repository is damaged: do not rely on it, and back up elsewhere.",
      hook_failed:
        "A program that runs before or after a backup failed, or took too long; the message has its last line.",
      backup_differs: "A restored volume is not what its backup lists: do not rely on it, and back up again.",
      backup_incomplete: "Some files of the volume could not be read.",
      backup_failed: "restic failed; the message has its last line.",
      backup_stalled: "The repository took or gave nothing for 15 minutes.",
    },
  },
  secrets: {
    precondition: {
      secret_missing: "A service, job or route names a secret that its namespace does not have.",
      secret_without_users: "The secret of a route's basic_auth is no list of users.",
    },
    failed: {
      secret_changed: "The secret was set again during the operation, which committed nothing; run it again.",
    },
  },
  operations: {
    precondition: {
      operation_unknown: "No operation has the id.",
      operation_ended: "The operation has ended: there is nothing to abort.",
      step_unknown: "The operation has no step with the id; the hint lists those that it owes.",
      scope_busy: "Another operation holds the namespace or machine; the message names it.",
      conflict: "Another command changed the same record; run the command again.",
      commit_conflict: "Another operation committed first; this one was undone.",
      operation_version:
        "The interrupted operation was started by another version of Ployz; that version must resolve it.",
    },
    unknown: {
      outcome_unknown:
        "The connection to the daemon broke before the operation ended; it may have committed, or still commit.",
      commit_unknown: "The connection to the store broke during the commit; the same command resolves it.",
      lease_lost: "The operation lost its lease and stopped; the same command adopts or undoes its changes.",
      operation_taken_over: "Another daemon took over the operation.",
    },
    failed: {
      interrupted:
        "The daemon that ran the operation stopped; its changes were undone, or the same command resolves them.",
      journal_failed: "The journal of the operation could not be written.",
      undo_blocked: "A step could not be undone because another step was not undone.",
      needs_failed: "A step was skipped because a dependency failed.",
    },
  },
});

/** Every error code of the kernel: see docs/errors.md. */
export type KernelErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A reason not to start. Expected, so returned, never thrown. */
export type Refusal = ErrorBody<KernelErrorCode>;

/** Another machine's error, as a reason not to start. */
export const refusalOf = (body: ErrorBody, otherwise: KernelErrorCode): Refusal =>
  isKernels(body) ? body : { ...body, code: otherwise };

const isKernels = (body: ErrorBody): body is Refusal =>
  Object.hasOwn(ERRORS, body.code) || Object.hasOwn(SHARED_ERRORS, body.code);

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<KernelErrorCode> = OperatorError;
export type PloyzError = OperatorError;
