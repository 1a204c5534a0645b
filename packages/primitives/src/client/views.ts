import type { Commit, CommittedRoute } from "../model/commit.ts";
import type { ErrorBody } from "../model/error.ts";
import type { ClusterRecord, MachineRecord } from "../model/machine.ts";
import type { MachineObservation, ObservedInstance } from "../participant/commands.ts";
import type { OperationSummary } from "./api.ts";

export type MachineRow = {
  readonly record: MachineRecord;
  /** The record's state; `drained` is what is seen of one that drains when nothing is committed there any more. */
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
};
export type NamespaceRow = {
  readonly namespace: string;
  readonly revision: number;
  readonly commit: Commit;
  readonly running: number;
  readonly wanted: number;
  readonly routes: readonly CommittedRoute[];
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
