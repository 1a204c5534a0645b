import type { ErrorBody } from "@ployz/errors";
import type {
  Api,
  ClusterStatus,
  CommitDocument,
  CommitHistory,
  CommitRow,
  DaemonStatus,
  DoctorReport,
  InstanceList,
  InviteCreated,
  InviteDocument,
  InviteList,
  LogEvent,
  MachineList,
  MachineRow,
  ManifestDocument,
  MeshStatus,
  NamespaceRow,
  NetworkPolicyDocument,
  OperationDetail,
  OperationResult,
  PlanView,
  RttTable,
  SecretChanged,
  SecretList,
  SelfRecord,
  SnapshotList,
  StoreMoved,
  StorePlan,
  StoreRepaired,
  StoreStatus,
  VolumeList,
  VolumeRow,
} from "./api.ts";

/** Every `--json` document, told apart by `kind`. Fields are only ever added. */
export type Document =
  | DaemonStatus
  | MeshStatus
  | SelfRecord
  | MachineList
  | RttTable
  | InviteCreated
  | InviteList
  | InviteDocument
  | ClusterStatus
  | InstanceList
  | SecretList
  | SecretChanged
  | VolumeList
  | SnapshotList
  | CommitHistory
  | CommitDocument
  | ManifestDocument
  | DoctorReport
  | OperationResult
  | OperationDetail
  | PlanView
  | Api["GET /v1/operations"]["out"]
  | Api["POST /v1/mesh/leave"]["out"]
  | Api["POST /v1/operations/:id/abort"]["out"]
  | StoreStatus
  | NetworkPolicyDocument
  | StoreRepaired
  | StorePlan
  | StoreMoved
  | StoreSnapshot
  | VolumeExported
  | ErrorDocument
  | DaemonInstalled
  | DaemonStopped
  | DaemonUninstalled
  | MachineDocument
  | MachineAdded
  | MachinesUpdated
  | Detached
  | Namespaces
  | NamespaceDocument
  | RoutesDocument
  | VolumeDocument
  | VersionDocument
  | ReadyDocument
  | DevDocument
  | DevDown
  | LogsDocument
  | TextDocument;

export type ErrorDocument = {
  readonly kind: "error";
  /** The first of `refusals`, where an operation was refused. */
  readonly error: ErrorBody;
  readonly refusals?: readonly ErrorBody[];
};
export type DaemonInstalled = {
  readonly kind: "daemon-installed";
  readonly service: "installed" | "unchanged" | "replaced";
  readonly serviceHost: "systemd" | "s6";
  readonly version: string;
  readonly socket: string;
  readonly config: string;
  /** Other files and groups that were created or changed. */
  readonly changed: readonly string[];
  /** Faults of this machine's setup that are put right, and those that remain. */
  readonly repaired?: readonly string[];
  readonly remaining?: readonly string[];
};
export type DaemonStopped = { readonly kind: "daemon-stopped"; readonly stopped: boolean };
export type DaemonUninstalled = {
  readonly kind: "daemon-uninstalled";
  readonly removed: readonly string[];
  readonly kept: readonly string[];
};
export type MachineDocument = { readonly kind: "machine" } & MachineRow;
/** The outcome of one of several operations of a command. */
export type OperationEnd = {
  readonly state: OperationResult["state"] | "refused" | "detached";
  readonly changed?: boolean;
  readonly ms?: number;
  readonly operation?: string;
  readonly errors: readonly ErrorBody[];
  readonly warnings: readonly string[];
};
export type AddOutcome = OperationEnd & { readonly target: string; readonly machine?: string };
export type MachineAdded = { readonly kind: "machine-add"; readonly machines: readonly AddOutcome[] };
/** `planned`: it would change. `not-tried`: skipped, because another machine of the same command failed. */
export type UpdateOutcome = Omit<OperationEnd, "state"> & {
  readonly machine: string;
  readonly state: OperationEnd["state"] | "planned" | "not-tried";
  readonly from?: { readonly version: string; readonly build: string };
};
export type MachinesUpdated = {
  readonly kind: "machine-update";
  /** Of the machine whose daemon ran the command. */
  readonly version: string;
  readonly build: string;
  readonly machines: readonly UpdateOutcome[];
};
/** The command detached; the operation still runs. */
export type Detached = {
  readonly kind: "detached";
  readonly operation: string;
  readonly committed: boolean;
};
export type Namespaces = { readonly kind: "namespaces"; readonly namespaces: readonly NamespaceRow[] };
export type NamespaceDocument = { readonly kind: "namespace" } & NamespaceRow;
export type RoutesDocument = {
  readonly kind: "routes";
  readonly routes: readonly (CommitRow["routes"][number] & { readonly namespace: string })[];
};
/** One volume; `copies` are retired and unfinished copies on all machines. */
export type VolumeDocument = { readonly kind: "volume"; readonly copies: readonly VolumeRow[] } & VolumeRow;
export type VersionDocument = {
  readonly kind: "version";
  readonly version: string;
  readonly build: string;
  readonly node: string;
  /** Null: not reachable. Absent: not asked, with `--version`. */
  readonly daemon?: { readonly version: string; readonly build: string; readonly node: string } | null;
};
export type ReadyDocument = {
  readonly kind: "ready";
  readonly ready: boolean;
  readonly missing: readonly string[];
};
export type DevDocument = {
  readonly kind: "dev";
  readonly gateway: string;
  readonly cluster: string;
  readonly machine: string;
  readonly dns: string;
  readonly namespace?: string;
  readonly routes: readonly string[];
};
export type DevDown = { readonly kind: "dev-down"; readonly removed: readonly string[] };
/** Printed as they arrive. With `--json` and `--follow`: one document per line. */
export type LogsDocument = {
  readonly kind: "logs";
  readonly follow: boolean;
  readonly events: AsyncIterable<LogEvent>;
};
export type StoreSnapshot = {
  readonly kind: "store-snapshot";
  readonly file: string;
  readonly bytes: number;
  readonly encrypted: boolean;
};
export type VolumeExported = {
  readonly kind: "volume-exported";
  readonly namespace: string;
  readonly volume: string;
  readonly snapshot: string;
  readonly file: string;
  readonly bytes: number;
};
export type TextDocument = { readonly kind: "text"; readonly text: string };
