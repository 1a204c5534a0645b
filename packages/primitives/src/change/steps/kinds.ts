import type { RepositoryAt } from "../../model/backup.ts";
import type { CandidateInstance } from "../../model/candidates.ts";
import type { Readiness, VolumeSpec } from "../../model/commit.ts";
import type { VolumeIdentity } from "../../model/observation.ts";
import type { BackupTake } from "../../participant/backup-commands.ts";
import type { InstanceStart } from "../../participant/commands.ts";
import type { Secrets } from "../decide/secrets.ts";

export type VolumeKinds = {
  /** `before`: the spec that undo goes back to; absent for a new volume. */
  "volume.ensure": {
    args: At & VolumeIdentity & { readonly spec: VolumeSpec; readonly before?: VolumeSpec };
    out: { readonly guid: string };
  };
  "volume.snapshot": {
    args: At & { readonly namespace: string; readonly ids: readonly string[]; readonly snapshot: string };
    out: { readonly guids: Readonly<Record<string, string>> };
  };
  /** Removes scheduled snapshots beyond their rule. What a clone or a transfer depends on stays. */
  "volume.thin": {
    args: At & { readonly id: string; readonly snapshots: readonly string[] };
    out: null;
  };
  "volume.clone": {
    args: At & VolumeIdentity & { readonly spec: VolumeSpec; readonly from: From };
    out: { readonly guid: string };
  };
  /** All of a snapshot to another machine. */
  "volume.transfer": {
    args: At & VolumeIdentity & { readonly source: Source; readonly from: From };
    out: { readonly guid: string; readonly bytes: number; readonly ms: number };
  };
  /** Copies while the service runs, until the difference is small. */
  "volume.precopy": {
    args: At &
      VolumeIdentity & {
        readonly source: Source;
        readonly maxRounds: number;
        readonly maxDowntimeMs?: number;
        readonly bytesPerSecond?: number;
      };
    out: {
      readonly rounds: number;
      readonly bytes: number;
      readonly ms: number;
      readonly predictedMs: number;
    };
  };
  "volume.seal": { args: At & { readonly id: string }; out: null };
  /** The last difference, from the sealed source. */
  "volume.final": {
    args: At & VolumeIdentity & { readonly source: Source; readonly snapshot: string };
    out: { readonly guid: string; readonly bytes: number; readonly ms: number };
  };
  /** `received`: the step with the snapshot's guid. */
  "volume.admit": {
    args: At &
      VolumeIdentity & { readonly spec: VolumeSpec; readonly snapshot: string; readonly received: string };
    out: { readonly guid: string };
  };
  /** Best effort: a gateway that cannot hold requests answers them with an error, and the operation continues. */
  "gateway.hold": {
    args: {
      readonly machines: readonly string[];
      readonly namespace: string;
      readonly service: string;
      readonly ms: number;
    };
    out: { readonly held: readonly string[] };
  };
  /** Removes the snapshots between which a move has copied. */
  "volume.tidy": { args: At & { readonly id: string; readonly rounds: number }; out: null };
  "volume.retire": { args: At & { readonly id: string }; out: null };
  /** Opens a standby as the volume; its machine has lost it. */
  "volume.takeover": {
    args: At &
      VolumeIdentity & {
        readonly spec: VolumeSpec;
        readonly snapshot: string;
        readonly snapshotGuid: string;
      };
    out: { readonly guid: string };
  };
  /** Standbys of the volume on the machine become retired copies. */
  "volume.standdown": {
    args: At & {
      readonly namespace: string;
      readonly name: string;
      readonly except?: string;
      /** Machines whose standbys are gone. */
      readonly forget?: readonly string[];
    };
    out: null;
  };
  /** A snapshot of the volume is sent to a standby. */
  "standby.sync": {
    args: At &
      VolumeIdentity & {
        readonly source: Source;
        readonly snapshot: string;
        readonly bytesPerSecond?: number;
      };
    out: { readonly guid: string; readonly bytes: number; readonly ms: number; readonly base: string | null };
  };
  /** Removes snapshots that standbys no longer need. On a machine that does not answer they stay until the next run. */
  "standby.thin": { args: At & { readonly id: string; readonly snapshots: readonly string[] }; out: null };
  "volume.prune": { args: At & { readonly namespace: string }; out: { readonly destroyed: number } };
};

export type StandbyKinds = "volume.takeover" | "volume.standdown" | "standby.sync" | "standby.thin";

export type BackupKinds = {
  /** `snapshotFrom`: the step that took the snapshot. */
  "backup.take": {
    args: At & Omit<BackupTake, "guid" | "operation"> & { readonly snapshotFrom: string };
    out: {
      readonly backup: string;
      readonly at: string;
      readonly bytes: number;
      readonly addedBytes: number;
    };
  };
  "backup.store": {
    args: At & { readonly repository: RepositoryAt };
    out: { readonly backup: string; readonly bytes: number; readonly addedBytes: number };
  };
  /** A program of the operator's inside an instance. `undo`: what runs when the operation fails after it, or in it. */
  "backup.hook": {
    args: At & {
      readonly id: string;
      readonly argv?: readonly string[];
      readonly undo?: readonly string[];
      readonly timeoutMs: number;
    };
    out: null;
  };
  /** Deletes backups and the data that only they need. */
  "backup.forget": {
    args: At & { readonly repository: RepositoryAt; readonly backups: readonly string[] };
    out: null;
  };
  /** Into a volume that this operation has created. `fresh`: all of it is read from the repository, and nothing from the machine's cache. */
  "backup.restore": {
    args: At & {
      readonly id: string;
      readonly repository: RepositoryAt;
      readonly backup: string;
      readonly fresh?: true;
    };
    out: null;
  };
  /** Whether the volume is what the backup lists. */
  "backup.compare": {
    args: At & { readonly id: string; readonly repository: RepositoryAt; readonly backup: string };
    out: { readonly files: number; readonly bytes: number };
  };
  /** Reads all data of the repository. */
  "backup.check": { args: At & { readonly repository: RepositoryAt }; out: null };
  /** Destroys a volume that only this operation has used. */
  "volume.discard": { args: At & { readonly id: string }; out: null };
};

export type At = { readonly machine: string };

/** The steps of every primitive that changes a namespace, with arguments and outputs. */
export type ChangeKinds = VolumeKinds &
  BackupKinds & {
    "image.ensure": {
      args: At & {
        readonly ref: string;
        readonly digest: string;
        readonly sources: readonly string[];
        readonly at?: string;
        readonly together?: readonly string[];
      };
      out: { readonly transferredBytes: number };
    };
    "bundle.ensure": {
      args: At & { readonly digest: string; readonly sources: readonly string[] };
      out: { readonly transferredBytes: number };
    };
    /** Does nothing: done when its needs are done. */
    gate: { args: { readonly gate: string }; out: null };
    reserve: {
      args: At & { readonly id: string; readonly memoryBytes?: number };
      out: { readonly address: string };
    };
    /** `expected`: the revision of the namespace's candidates when the plan was made. `machines`: those that have to know before one starts. */
    "candidates.announce": {
      args: {
        readonly namespace: string;
        readonly expected: number;
        readonly instances: readonly (Omit<CandidateInstance, "address" | "ready"> & {
          readonly reserve: string;
        })[];
        readonly leaving: readonly string[];
        readonly machines: readonly string[];
      };
      out: { readonly revision: number };
    };
    /** Those of `ids` are found by name from now on, by the candidates on `machines`. */
    "candidates.ready": {
      args: {
        readonly namespace: string;
        readonly ids: readonly string[];
        readonly machines: readonly string[];
      };
      out: { readonly revision: number };
    };
    /** `expected`: as in `candidates.announce`; what a dead operation left goes too. */
    "candidates.withdraw": {
      args: { readonly namespace: string; readonly expected: number };
      out: null;
    };
    /** Certificates for these hosts, where none is valid for them. */
    "certificate.ensure": {
      args: At & { readonly hosts: readonly string[] };
      out: { readonly issued: readonly string[] };
    };
    /** Packet filters and DNS learn of an instance that runs by itself, and operations on the namespace leave it alone. */
    "running.announce": {
      args: {
        readonly namespace: string;
        readonly job: string;
        readonly reserve: string;
        readonly instance: Omit<CandidateInstance, "address" | "ready">;
        readonly machines: readonly string[];
      };
      out: { readonly revision: number };
    };
    "running.withdraw": { args: { readonly namespace: string; readonly job: string }; out: null };
    secrets: { args: At & { readonly id: string; readonly secrets: Secrets }; out: null };
    /** `reserve`: the step that got the address. Without `env`, command and environment are those of the spec in the plan's summary. */
    start: {
      args: At & {
        readonly reserve: string;
        readonly instance: Omit<InstanceStart, "address" | "env"> & Partial<Pick<InstanceStart, "env">>;
      };
      out: { readonly startedAt: string };
    };
    ready: {
      args: At & {
        readonly reserve: string;
        readonly id: string;
        readonly ports: Readonly<Record<string, number>>;
        readonly ready: Readiness;
      };
      out: { readonly readyMs: number };
    };
    /** Each still runs, without having ended since its start. */
    verify: {
      args: { readonly instances: readonly (At & { readonly id: string })[] };
      out: null;
    };
    wait: {
      args: At & { readonly id: string; readonly timeoutMs: number; readonly interactive?: boolean };
      out: { readonly exitCode: number };
    };
    stop: { args: At & { readonly id: string; readonly graceMs: number }; out: null };
    /** Ends a hold whose service serves again without a commit. */
    "gateway.release": { args: VolumeKinds["gateway.hold"]["args"]; out: null };
    /** Starts again what `stop` stopped. One that does not become ready is a warning. */
    resume: {
      args: At & {
        readonly id: string;
        readonly address: string;
        readonly ports: Readonly<Record<string, number>>;
        readonly ready: Readiness;
      };
      out: { readonly warning?: string };
    };
    /** `after`: the namespace's revision before this operation's commit. */
    publish: {
      args: At & { readonly namespace: string; readonly after: number };
      out: { readonly gateway: string; readonly dns: string; readonly warning?: string };
    };
    retire: {
      args: At & { readonly id: string; readonly drainMs: number; readonly graceMs: number };
      out: null;
    };
    remove: { args: At & { readonly id: string }; out: null };
  };

/** Data from one machine to another, driven by the coordinator: the target pulls only the data that it lacks. */
export type Source = { readonly machine: string; readonly id: string };

/** Where a copy is made from. `guid` of the snapshot is known, or in the output of the `volume.snapshot` step `guidFrom`. */
export type From = {
  readonly id: string;
  readonly snapshot: string;
  readonly guid?: string;
  readonly guidFrom?: string;
  /** Of a transfer: snapshots to receive before, oldest first. */
  readonly earlier?: readonly { readonly name: string; readonly guid: string }[];
};
