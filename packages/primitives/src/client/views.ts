import type { ErrorBody } from "@ployz/errors";
import type { Commit, CommittedRoute, Volume } from "../model/commit.ts";
import type { ClusterRecord, MachineRecord } from "../model/machine.ts";
import type { OperationSummary } from "../model/operation.ts";
import type {
  MachineObservation,
  ObservedInstance,
  ObservedSnapshot,
  ObservedVolume,
} from "../participant/commands.ts";
import type { LoadedPolicy } from "../participant/network-commands.ts";

export type MachineRow = {
  readonly record: MachineRecord;
  /** The record's state; `drained`: it is draining, and no commit names it any more. */
  readonly lifecycle: MachineRecord["state"] | "drained";
  /** How much is committed there. */
  readonly committed: { readonly instances: number; readonly volumes: number };
  readonly reachable: boolean;
  readonly error?: ErrorBody;
  readonly handshakeAgeMs?: number;
  readonly observation?: MachineObservation;
};
export type MachineList = { readonly kind: "machines"; readonly machines: readonly MachineRow[] };
export type RttTable = {
  readonly kind: "rtt";
  readonly rows: readonly {
    readonly from: string;
    readonly to: string;
    readonly rttMs: number | null;
    readonly error?: ErrorBody;
  }[];
};
export type InstanceRow = {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly slot: number;
  readonly machine: string;
  readonly address: string;
  readonly committed: boolean;
  readonly observed?: ObservedInstance;
  readonly state: "running" | "exited" | "missing" | "unknown" | "created" | "stray";
};
export type InstanceList = {
  readonly kind: "instances";
  readonly instances: readonly InstanceRow[];
  readonly unreachable: readonly string[];
  /** Records of these namespaces that cannot be read. */
  readonly warnings?: ClusterStatus["warnings"];
};
export type NamespaceRow = {
  readonly namespace: string;
  readonly revision: number;
  readonly commit: Commit;
  readonly running: number;
  readonly wanted: number;
  readonly routes: readonly CommittedRoute[];
};
/** What a commit changed against the one before it, by name. */
export type CommitChanges = {
  readonly services: Changed;
  readonly jobs: Changed;
  /** Changed: moved, or another copy. */
  readonly volumes: Changed;
  readonly routes: { readonly added: number; readonly removed: number };
};
export type Changed = {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
};
export type HistoryRow = Pick<Commit, "operation" | "primitive" | "at" | "by" | "lineage" | "removed"> & {
  readonly revision: number;
  readonly changes: CommitChanges;
};
export type CommitHistory = {
  readonly kind: "history";
  readonly namespace: string;
  readonly commits: readonly HistoryRow[];
};
export type CommitDocument = {
  readonly kind: "commit";
  readonly namespace: string;
  readonly revision: number;
  readonly commit: Commit;
};
export type ManifestDocument = {
  readonly kind: "manifest";
  readonly namespace: string;
  /** Of the commit that it was made from. */
  readonly revision: number;
  /** TOML. */
  readonly text: string;
};
/** A committed volume, or a copy that no commit has: `committed` is false. */
export type VolumeRow = {
  readonly namespace: string;
  readonly name: string;
  readonly id: string;
  readonly machine: string;
  readonly committed: boolean;
  /** `missing`: the machine answers and has no such copy. `unknown`: the machine does not answer. */
  readonly state: ObservedVolume["state"] | "missing" | "unknown";
  /** Services of the last commit that mount it. */
  readonly users: readonly string[];
  readonly spec?: Volume["spec"];
  readonly origin?: Volume["origin"];
  readonly moved?: Volume["moved"];
  readonly observed?: ObservedVolume;
};
export type VolumeList = {
  readonly kind: "volumes";
  readonly volumes: readonly VolumeRow[];
  readonly unreachable: readonly string[];
};
export type SnapshotList = {
  readonly kind: "snapshots";
  readonly namespace: string;
  readonly volume: string;
  readonly id: string;
  readonly machine: string;
  /** Oldest first. */
  readonly snapshots: readonly ObservedSnapshot[];
};
export type ClusterStatus = {
  readonly kind: "status";
  readonly cluster?: ClusterRecord;
  readonly self?: string;
  readonly machines: readonly MachineRow[];
  readonly namespaces: readonly NamespaceRow[];
  readonly operations: readonly OperationSummary[];
  readonly store: {
    readonly state: "connected" | "unreachable" | "none";
    readonly machines: readonly string[];
    readonly generation: number;
  };
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
};
/** What may talk to what. */
export type NetworkPolicyDocument = {
  readonly kind: "network-policy";
  readonly isolation: "on" | "off";
  readonly edges: readonly NetworkEdge[];
  /** `right`: its packet filter is exactly the one of the last commits. */
  readonly machines: readonly {
    readonly machine: string;
    readonly policy: LoadedPolicy | "unknown";
    readonly right: boolean;
    readonly error?: ErrorBody;
  }[];
};
/** `from` may open connections to `to`: a namespace, `namespace/service`, `gateways`, `dns`, `outside`, or `*`. */
export type NetworkEdge = { readonly from: string; readonly to: string; readonly why: string };
export type DoctorReport = {
  readonly kind: "doctor";
  readonly ok: boolean;
  readonly checks: readonly {
    readonly id: string;
    readonly title: string;
    readonly state: "ok" | "warn" | "fail";
    readonly found: string;
    readonly fix?: string;
  }[];
};
