import type { Basis, Refusal } from "../../engine/types.ts";
import type { Commit, CommittedService, JobSpec, VolumeSpec } from "../../model/commit.ts";

/** What a namespace is to be, with every reference resolved. Each primitive says it in its own way; the rest is the same for all. */
export type Desired = {
  readonly namespace: string;
  readonly services: Readonly<Record<string, CommittedService>>;
  readonly jobs: Readonly<Record<string, { readonly revision: string; readonly spec: JobSpec }>>;
  /** Volumes that are to be there. A committed one that is neither here nor in `dropped` stays as it is. */
  readonly volumes: Readonly<Record<string, WantedVolume>>;
  /** Volumes that leave the namespace. Their data is kept until the retention lets it go. */
  readonly dropped: readonly string[];
  /** Whether jobs that are new or changed run; else they are committed as done. */
  readonly jobsRun: boolean;
  /** Instances that were started with an older value of a secret are replaced; else they stay as long as they live. */
  readonly renewSecrets?: true;
  /** The machine that a service's instances must be on, by service. */
  readonly pins: Readonly<Record<string, string>>;
  /** Machines that nothing of the namespace may be on. */
  readonly avoid?: readonly string[];
  readonly lineage?: NonNullable<Commit["lineage"]>;
  readonly branchedFrom?: string;
  readonly allowRoutesFrom?: readonly string[];
  readonly removed?: true;
  /** Milliseconds that requests may wait at the gateways while what stops first is down. */
  readonly holdMs: number;
};

export type WantedVolume = {
  readonly spec: VolumeSpec;
  readonly source: VolumeSource;
};

/**
 * Where a volume's data comes from. `keep`: the present volume, and a new one where there is none. `fresh`: a new one on this machine.
 * `copy`: a clone of another volume, or a transfer where that is on another machine; what was there before is kept, retired.
 * `move`: the present volume, on another machine.
 */
export type VolumeSource =
  | { readonly kind: "keep" }
  | { readonly kind: "fresh"; readonly machine: string }
  | { readonly kind: "copy"; readonly from: CopySource; readonly machine: string }
  | ({ readonly kind: "move"; readonly machine: string } & MoveLimits);

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
  /** Absent: as it is now, by a snapshot that the operation takes. */
  readonly snapshot?: { readonly name: string; readonly guid: string };
  /** No copy that is there, but a file that an operator sends to that machine: read once, as it comes. */
  readonly upload?: true;
  /** About how many bytes it is, where nobody can look. */
  readonly bytes?: number;
};

/** Whether the copy is a clone: else the data is sent, even where it is on the same machine. */
export const isClone = (from: CopySource, machine: string): boolean =>
  from.machine === machine && from.upload !== true;

/** What a primitive wants, and why it cannot have it. */
export type Wish = {
  readonly desired: Desired;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** What else the plan rests on: the commit of a source namespace. */
  readonly basis: readonly Basis[];
  /** Names of services whose spec could not be resolved: refused, and not to be taken for removed. */
  readonly unresolved: ReadonlySet<string>;
};

export const DEFAULT_HOLD_MS = 20_000;
