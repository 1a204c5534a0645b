import type { ClusterStatus } from "@ployz/primitives/client";

/** Every condition that `status` warns of. `alert`: it is also sent to alerts; the others are advice, or part of what an operator does. */
export const WARNINGS = {
  removed: { alert: false, means: "The cluster has removed this machine." },
  store_unreachable: { alert: true, means: "The store does not answer." },
  store_single: { alert: false, means: "One machine holds the store of a cluster of three or more." },
  store_leader_changed: {
    alert: true,
    means: "The store elected another leader within the last five minutes.",
  },
  store_degraded: { alert: true, means: "Some of the store's machines do not answer." },
  record_unreadable: { alert: true, means: "A record of the store cannot be read." },
  namespaces_flat: { alert: false, means: "Namespaces are not apart." },
  machine_alone: { alert: false, means: "No other machine answers this one." },
  machine_unreachable: { alert: true, means: "A machine does not answer." },
  machine_problem: {
    alert: true,
    means: "A machine could not start an instance, open its volumes, or send its logs.",
  },
  machine_draining: { alert: false, means: "A machine is draining." },
  machine_joining: { alert: false, means: "A machine has not finished joining." },
  versions_differ: { alert: true, means: "A machine runs a new version, and others do not yet." },
  disk_nearly_full: { alert: true, means: "A machine's disk has less than 1 GiB free." },
  inodes_nearly_used: { alert: true, means: "A machine's disk has less than 5 % of its inodes free." },
  memory_nearly_full: { alert: true, means: "A machine has less than 5 % of its memory free." },
  clock_skewed: { alert: true, means: "A machine's clock differs from most machines' by more than 5 s." },
  pool_degraded: { alert: true, means: "ZFS reports a machine's pool as not ONLINE." },
  pool_nearly_full: { alert: true, means: "A machine's pool has less than a tenth free." },
  volume_unknown: { alert: true, means: "A volume is on a machine that does not answer." },
  volume_missing: { alert: true, means: "A volume is not where it was committed." },
  volume_closed: { alert: true, means: "No instance can start on a volume." },
  volume_single_copy: {
    alert: false,
    means: "The only copy of a volume is on one disk: it has no standby and no backup.",
  },
  backup_old: {
    alert: true,
    means: "The last backup of a volume without a schedule of backups is older than eight days.",
  },
  standby_behind: { alert: true, means: "A standby is older than its bound, or has no copy yet." },
  backup_late: {
    alert: true,
    means: "Two runs of a volume's schedule of backups, or of their verification, are missing.",
  },
  service_suspended: { alert: true, means: "A service lost its data with a machine." },
  namespace_degraded: { alert: true, means: "Fewer instances of a namespace run than were committed." },
  restart_loop: { alert: true, means: "An instance restarts again and again." },
  out_of_memory: { alert: true, means: "An instance was killed for want of memory." },
  instance_unhealthy: { alert: true, means: "Gateways find a running instance down." },
  instance_stray: { alert: false, means: "An instance belongs to no commit." },
  operation_open: { alert: true, means: "An operation was interrupted, or owes cleanup." },
  certificate_lost: { alert: true, means: "The store has lost a certificate's key." },
  certificate_expired: { alert: true, means: "A certificate has expired." },
  certificate_failing: { alert: true, means: "The renewal of a certificate failed." },
  certificate_due: { alert: true, means: "An imported certificate expires soon." },
  schedule_failed: { alert: true, means: "The last run of a schedule failed or was refused." },
  schedule_missed: { alert: true, means: "A schedule did not run at its time, and has not run since." },
  operation_failed: { alert: true, means: "The last operation on something failed within the last hour." },
  look_failed: { alert: false, means: "A part of the cluster's state could not be read." },
} as const;

export type WarningCode = keyof typeof WARNINGS;

/** A warning of `status`. `about`: what it concerns; with the code it tells whether two warnings are the same condition. */
export type Warning = ClusterStatus["warnings"][number] & {
  readonly code: WarningCode;
  readonly about: string;
};

/** The one way to a warning: the compiler checks its code. */
export const warning = (
  code: WarningCode,
  about: string,
  text: { readonly message: string; readonly hint: string },
): Warning => ({ code, about, ...text });

/** Whether alerts send it. */
export const isAlert = (one: ClusterStatus["warnings"][number]): one is Warning =>
  one.about !== undefined &&
  one.code !== undefined &&
  Object.hasOwn(WARNINGS, one.code) &&
  WARNINGS[one.code as WarningCode].alert;

/** Known from the machines alone: while one does not answer, its absence from a look does not tell that it is over. */
const OBSERVED: ReadonlySet<string> = new Set<WarningCode>([
  ...(["machine_problem", "disk_nearly_full", "inodes_nearly_used", "memory_nearly_full"] as const),
  ...(["clock_skewed", "pool_degraded", "pool_nearly_full", "volume_missing", "volume_closed"] as const),
  ...(["standby_behind", "restart_loop", "out_of_memory", "instance_unhealthy", "versions_differ"] as const),
]);

export const isObserved = (code: string): boolean => OBSERVED.has(code);
