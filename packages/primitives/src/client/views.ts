import Type, { type Static } from "typebox";
import {
  Commit,
  CommittedRoute,
  HostPort,
  stamp,
  VolumeMove,
  VolumeOrigin,
  VolumeSpec,
} from "../model/commit.ts";
import { MachineRecord, MachineState } from "../model/machine.ts";
import {
  CopyState,
  MachineObservation,
  ObservedInstance,
  ObservedSnapshot,
  ObservedVolume,
} from "../model/observation.ts";
import { count, error, list, object, text } from "../model/schema.ts";
import { LoadedPolicy } from "../participant/network-commands.ts";
import { RunRow } from "./runs.ts";
import { standbyOf, VolumeStandby } from "./standbys.ts";
import { warnings } from "./warnings.ts";

/** Where a member stands in the cluster. `drained`: it drains, and nothing is left there. */
export const Lifecycle = Type.Union([MachineState, Type.Literal("drained")]);
/** Schema of a row of the list of machines. */
export const machineRow = {
  record: MachineRecord,
  /** The record's state; `drained`: it is draining, and no commit names it any more. */
  lifecycle: Lifecycle,
  /** How much is committed there. */
  committed: object({
    instances: count(),
    volumes: count(),
  }),
  reachable: Type.Boolean(),
  error: Type.Optional(error()),
  handshakeAgeMs: Type.Optional(Type.Number()),
  /** How far its clock is ahead of the observer's, beyond the time of the call. */
  clockSkewMs: Type.Optional(Type.Number()),
  observation: Type.Optional(MachineObservation),
};
/** One member: its record, and what it observes. */
export const MachineRow = object(machineRow);
/** Static type of the schema of this name. */
export type MachineRow = Static<typeof MachineRow>;
/** All members with what they answer. */
export const MachineList = object({
  kind: Type.Literal("machines"),
  machines: list(MachineRow),
});
/** Static type of the schema of this name. */
export type MachineList = Static<typeof MachineList>;
/** Round-trip times between machines, in milliseconds. */
export const RttTable = object({
  kind: Type.Literal("rtt"),
  rows: list(
    object({
      from: text(),
      to: text(),
      rttMs: Type.Union([Type.Number(), Type.Null()]),
      error: Type.Optional(error()),
    }),
  ),
});
/** Static type of the schema of this name. */
export type RttTable = Static<typeof RttTable>;

/** Where an instance stands: as observed, or why it is not. */
export const InstanceState = Type.Enum([
  "running",
  "exited",
  "missing",
  "unknown",
  "created",
  "candidate",
  "stray",
]);
/** One instance: as committed, and as observed. */
export const InstanceRow = object({
  id: text(),
  namespace: text(),
  service: text(),
  slot: count(),
  machine: text(),
  address: text(),
  committed: Type.Boolean(),
  /** Ports of its machine that lead to it; absent: there are none. */
  hostPorts: Type.Optional(list(HostPort)),
  observed: Type.Optional(ObservedInstance),
  state: InstanceState,
});
/** Static type of the schema of this name. */
export type InstanceRow = Static<typeof InstanceRow>;
/** Instances, committed and observed. */
export const InstanceList = object({
  kind: Type.Literal("instances"),
  instances: list(InstanceRow),
  /** One-off instances; absent: there are none. */
  runs: Type.Optional(list(RunRow)),
  unreachable: list(text()),
  /** Services that an operator has stopped: NAMESPACE/SERVICE. */
  stopped: Type.Optional(list(text())),
  /** Second copies of these services' volumes; absent: there are none. */
  standbys: Type.Optional(list(object({ namespace: text(), volume: text(), ...standbyOf }))),
  /** Records of these namespaces that cannot be read. */
  warnings: Type.Optional(warnings),
});
/** Static type of the schema of this name. */
export type InstanceList = Static<typeof InstanceList>;
/** Schema of a row of the list of namespaces. */
export const namespaceRow = {
  namespace: text(),
  revision: count(),
  commit: Commit,
  running: count(),
  wanted: count(),
  routes: list(CommittedRoute),
};
/** One namespace, with counts of wanted and running instances. */
export const NamespaceRow = object(namespaceRow);
/** Static type of the schema of this name. */
export type NamespaceRow = Static<typeof NamespaceRow>;
/** Whether a request changed anything. */
export const Changed = object({
  added: list(text()),
  changed: list(text()),
  removed: list(text()),
});
/** Static type of the schema of this name. */
export type Changed = Static<typeof Changed>;
/** What a commit changed against the one before it, by name. */
export const CommitChanges = object({
  services: Changed,
  jobs: Changed,
  /** Changed: moved, or another copy. */
  volumes: Changed,
  routes: object({
    added: count(),
    removed: count(),
  }),
});
export type CommitChanges = Static<typeof CommitChanges>;
/** A commit in the history. */
export const HistoryRow = object({ ...stamp, revision: count(), changes: CommitChanges });
/** Static type of the schema of this name. */
export type HistoryRow = Static<typeof HistoryRow>;
/** Commits of a namespace, newest first. */
export const CommitHistory = object({
  kind: Type.Literal("history"),
  namespace: text(),
  commits: list(HistoryRow),
});
/** Static type of the schema of this name. */
export type CommitHistory = Static<typeof CommitHistory>;
/** One commit, whole. */
export const CommitDocument = object({
  kind: Type.Literal("commit"),
  namespace: text(),
  revision: count(),
  commit: Commit,
});
/** Static type of the schema of this name. */
export type CommitDocument = Static<typeof CommitDocument>;
/** The manifest that a namespace's present commit amounts to. */
export const ManifestDocument = object({
  kind: Type.Literal("manifest"),
  namespace: text(),
  /** Of the commit that it was made from. */
  revision: count(),
  /** TOML. */
  text: text(),
});
/** Static type of the schema of this name. */
export type ManifestDocument = Static<typeof ManifestDocument>;
/** A committed volume, or a copy that no commit has: `committed` is false. */
export const volumeRow = {
  namespace: text(),
  name: text(),
  id: text(),
  machine: text(),
  committed: Type.Boolean(),
  /** `missing`: the machine answers and has no such copy. `unknown`: the machine does not answer. */
  state: Type.Union([CopyState, Type.Enum(["missing", "unknown"])]),
  /** Services of the last commit that mount it. */
  users: list(text()),
  spec: Type.Optional(VolumeSpec),
  origin: Type.Optional(VolumeOrigin),
  moved: Type.Optional(VolumeMove),
  observed: Type.Optional(ObservedVolume),
  /** Of a committed volume: its copies on other machines, and how far each is behind. Absent: it has none. */
  standbys: Type.Optional(list(VolumeStandby)),
};
/** One volume: as committed, and its copies. Sizes are bytes. */
export const VolumeRow = object(volumeRow);
/** Static type of the schema of this name. */
export type VolumeRow = Static<typeof VolumeRow>;
/** Volumes of a namespace or of all. */
export const VolumeList = object({
  kind: Type.Literal("volumes"),
  volumes: list(VolumeRow),
  unreachable: list(text()),
});
/** Static type of the schema of this name. */
export type VolumeList = Static<typeof VolumeList>;
/** Committed routes, and whether the gateway of `machine` serves each. */
export const RouteList = object({
  kind: Type.Literal("routes"),
  machine: text(),
  routes: list(
    Type.Intersect([
      CommittedRoute,
      object({
        namespace: text(),
        /** Of the namespace's last commit. */
        revision: count(),
        /** `earlier`: it serves an earlier commit of the namespace. `unknown`: it does not answer. */
        served: Type.Enum(["yes", "no", "earlier", "unknown"]),
        /** Why it is not served. */
        why: Type.Optional(text()),
        /** The canary that gets `share` percent of its requests. */
        canary: Type.Optional(object({ service: text(), share: count() })),
      }),
    ]),
  ),
});
/** Static type of the schema of this name. */
export type RouteList = Static<typeof RouteList>;
/** Snapshots of a volume. Sizes are bytes. */
export const SnapshotList = object({
  kind: Type.Literal("snapshots"),
  namespace: text(),
  volume: text(),
  id: text(),
  machine: text(),
  /**
   * Oldest first. `copy`: the id of a retired copy, which a restore or a rollback has replaced; `machine`: the machine of a retired copy
   * elsewhere, such as the one that was there before a standby was taken over.
   */
  snapshots: list(
    Type.Intersect([
      ObservedSnapshot,
      object({ copy: Type.Optional(text()), machine: Type.Optional(text()) }),
    ]),
  ),
});
/** Static type of the schema of this name. */
export type SnapshotList = Static<typeof SnapshotList>;
/** A changing call that a machine has obeyed, or that failed there. */
export const AuditEntry = object({
  type: Type.Literal("call"),
  /** RFC 3339. */
  at: text(),
  /** The calling machine, by its own word. */
  caller: text(),
  operation: Type.Optional(text()),
  command: text(),
  /** The id of the instance, volume, image or build that the call is about. */
  object: Type.Optional(text()),
  /** `done`, or the code of the error. */
  outcome: text(),
});
/** Static type of the schema of this name. */
export type AuditEntry = Static<typeof AuditEntry>;
const NetworkEdge = object({ from: text(), to: text(), why: text() });
/** `from` may open connections to `to`: a namespace, `namespace/service`, `gateways`, `dns`, `outside`, or `*`. */
export type NetworkEdge = Static<typeof NetworkEdge>;
/** What may talk to what. */
export const NetworkPolicyDocument = object({
  kind: Type.Literal("network-policy"),
  isolation: Type.Enum(["on", "off"]),
  edges: list(NetworkEdge),
  /** `right`: its packet filter is exactly the one of the last commits. */
  machines: list(
    object({
      machine: text(),
      policy: Type.Union([LoadedPolicy, Type.Literal("unknown")]),
      right: Type.Boolean(),
      error: Type.Optional(error()),
    }),
  ),
});
export type NetworkPolicyDocument = Static<typeof NetworkPolicyDocument>;
/** Checks of this machine, each with a fix. */
export const DoctorReport = object({
  kind: Type.Literal("doctor"),
  ok: Type.Boolean(),
  checks: list(
    object({
      id: text(),
      title: text(),
      state: Type.Enum(["ok", "warn", "fail"]),
      found: text(),
      fix: Type.Optional(text()),
    }),
  ),
});
/** Static type of the schema of this name. */
export type DoctorReport = Static<typeof DoctorReport>;
