import type { Basis, Refusal } from "../../engine/types.ts";
import type { RepositoryAt } from "../../model/backup.ts";
import type { Commit, CommittedService, JobSpec, VolumeSpec } from "../../model/commit.ts";

/** The desired state of a namespace, with every reference resolved. Each primitive builds it; the rest of a change is shared. */
export type Desired = {
  readonly namespace: string;
  readonly services: Readonly<Record<string, CommittedService>>;
  readonly jobs: Readonly<Record<string, { readonly revision: string; readonly spec: JobSpec }>>;
  /** Desired volumes. A committed one that is neither here nor in `dropped` stays unchanged. */
  readonly volumes: Readonly<Record<string, WantedVolume>>;
  /** Volumes that leave the namespace. Their data is kept until the retention deletes it. */
  readonly dropped: readonly string[];
  /** Whether jobs that are new or changed run; else they are committed as done. */
  readonly jobsRun: boolean;
  /** Replaces instances that started with an older version of a secret; else they stay while they are alive. */
  readonly renewSecrets?: true;
  /** Services whose instances are replaced even if nothing of them changed. */
  readonly restarts?: readonly string[];
  /** The machine that a service's instances must be on, by service. */
  readonly pins: Readonly<Record<string, string>>;
  /** Services whose instances on machines that do not answer are given up: nothing waits for their end. */
  readonly abandoned?: readonly string[];
  /** Machines that nothing of the namespace may be on. */
  readonly avoid?: readonly string[];
  readonly lineage?: NonNullable<Commit["lineage"]>;
  readonly branchedFrom?: string;
  readonly allowRoutesFrom?: readonly string[];
  readonly removed?: true;
  /** Milliseconds that requests may wait at the gateways while a stop-first service is down. */
  readonly holdMs: number;
};

export type WantedVolume = {
  readonly spec: VolumeSpec;
  readonly source: VolumeSource;
};

/** A backup whose data a new volume gets. */
export type BackupSource = {
  readonly repository: RepositoryAt;
  readonly backup: string;
  readonly namespace: string;
  readonly volume: string;
  readonly snapshot: string;
  readonly guid: string;
  readonly bytes: number;
};

/**
 * Where a volume's data comes from. `keep`: the present volume, or a new one where there is none. `fresh`: a new one on this machine.
 * `backup`: a new one, with the data of a backup; without a machine, where the service that uses it is placed.
 * `copy`: a clone of another volume, or a transfer from another machine; the volume it replaces is retired, not deleted. `move`: the
 * present volume, on another machine. `standby`: the copy on another machine becomes the volume, without the machine that has it now.
 */
export type VolumeSource =
  | { readonly kind: "keep" }
  | { readonly kind: "fresh"; readonly machine: string }
  | { readonly kind: "backup"; readonly machine?: string; readonly backup: BackupSource }
  | { readonly kind: "copy"; readonly from: CopySource; readonly machine: string }
  | ({ readonly kind: "move"; readonly machine: string } & MoveLimits)
  | { readonly kind: "standby"; readonly machine: string; readonly snapshot: StandbySnapshot };

/** What a standby holds. */
export type StandbySnapshot = { readonly name: string; readonly guid: string };

export type MoveLimits = {
  /** Rounds of copying while the service runs. */
  readonly maxRounds: number;
  /** Refuses to stop the service when the last difference would take longer than this. */
  readonly maxDowntimeMs?: number;
  readonly bytesPerSecond?: number;
};

export type CopySource = {
  readonly namespace: string;
  readonly volume: string;
  readonly id: string;
  readonly machine: string;
  /** Absent: the present data, by a snapshot that the operation takes. */
  readonly snapshot?: { readonly name: string; readonly guid: string };
  /** No volume, but a file that the operator uploads to that machine: a stream, read once. */
  readonly upload?: true;
  /** Snapshots that the upload holds before the last one, oldest first. */
  readonly earlier?: readonly { readonly name: string; readonly guid: string }[];
  /** Estimated size, where it cannot be observed. */
  readonly bytes?: number;
};

/** Whether the copy is a clone; else the data is transferred, even on one machine. */
export const isClone = (from: CopySource, machine: string): boolean =>
  from.machine === machine && from.upload !== true;

/** The state that a primitive wants, and the reasons against it. */
export type Wish = {
  readonly desired: Desired;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** Further basis of the plan: the commit of a source namespace. */
  readonly basis: readonly Basis[];
  /** Services whose spec could not be resolved: refused, and no removals. */
  readonly unresolved: ReadonlySet<string>;
};

/** The longest that a gateway holds. Recovery from a dead coordinator or a candidate that never is ready takes longer than a cut-over. */
export const DEFAULT_HOLD_MS = 60_000;
