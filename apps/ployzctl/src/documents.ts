import {
  AccessEvent,
  AlertChanged,
  AlertDocument,
  AlertList,
  AlertTested,
  AuditEntry,
  BackupDocument,
  BackupList,
  CertificateAccount,
  CertificateList,
  ClusterEvent,
  ClusterStatus,
  CommitDocument,
  CommitHistory,
  count,
  DaemonStatus,
  DoctorReport,
  error,
  GatewayList,
  ImageDocument,
  ImageList,
  ImagePushed,
  ImageStatus,
  InstanceList,
  InviteCreated,
  InviteDocument,
  InviteList,
  LogEvent,
  list,
  MachineList,
  ManifestDocument,
  MeshLeft,
  MeshStatus,
  machineRow,
  NamespaceRow,
  NetworkPolicyDocument,
  namespaceRow,
  OperationAbort,
  OperationDetail,
  OperationEvent,
  OperationList,
  OperationResult,
  OperationState,
  object,
  PlanView,
  RegistryChanged,
  RegistryList,
  Release,
  RepositoryDocument,
  RepositoryList,
  RouteList,
  RttTable,
  RunList,
  RunStopped,
  ScheduleDocument,
  ScheduleList,
  SecretChanged,
  SecretList,
  SelfRecord,
  SnapshotList,
  StandbyList,
  StoreEvent,
  StoreMoved,
  StorePlan,
  StoreRepaired,
  StoreStatus,
  TOKEN_DOCUMENTS,
  text,
  VolumeList,
  VolumeRow,
  volumeRow,
} from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";
import { ImageBuilt } from "./commands/build/document.ts";
import { DaemonInstalled, DaemonStopped, DaemonUninstalled } from "./commands/daemon/documents.ts";
import { DevDocument, DevDown, DevMachines, DevPower } from "./commands/dev/documents.ts";
import { FOLLOWED, type FollowedDocument } from "./followed.ts";
import { ContextDocument, ContextList, ContextRemoved } from "./remote/documents.ts";
import { StoreSnapshot, VolumeExported } from "./written.ts";

export type {
  AccessDocument,
  AuditDocument,
  EventsDocument,
  FollowedDocument,
  LogsDocument,
  Usage,
  UsageDocument,
} from "./followed.ts";
export { StoreSnapshot, VolumeExported } from "./written.ts";

export const ErrorDocument = object({
  kind: Type.Literal("error"),
  /** The first of `refusals`, where an operation was refused. */
  error: error(),
  refusals: Type.Optional(list(error())),
});
export type ErrorDocument = Static<typeof ErrorDocument>;
export const MachineDocument = object({ kind: Type.Literal("machine"), ...machineRow });
export type MachineDocument = Static<typeof MachineDocument>;
/** The outcome of one of several operations of a command. */
const EndState = Type.Union([OperationState, Type.Enum(["refused", "detached"])]);
const end = {
  state: EndState,
  changed: Type.Optional(Type.Boolean()),
  ms: Type.Optional(Type.Number()),
  operation: Type.Optional(text()),
  errors: list(error()),
  warnings: list(text()),
};
const OperationEnd = object(end);
export type OperationEnd = Static<typeof OperationEnd>;
export const AddOutcome = object({ ...end, target: text(), machine: Type.Optional(text()) });
export type AddOutcome = Static<typeof AddOutcome>;
export const MachineAdded = object({ kind: Type.Literal("machine-add"), machines: list(AddOutcome) });
export type MachineAdded = Static<typeof MachineAdded>;
/** `planned`: it would change. `not-tried`: skipped, because another machine of the same command failed. */
export const UpdateOutcome = object({
  ...end,
  machine: text(),
  state: Type.Union([EndState, Type.Enum(["planned", "not-tried"])]),
  from: Type.Optional(object({ version: text(), build: text() })),
});
export type UpdateOutcome = Static<typeof UpdateOutcome>;
export const MachinesUpdated = object({
  kind: Type.Literal("machine-update"),
  /** Of the machine whose daemon ran the command. */
  version: text(),
  build: text(),
  machines: list(UpdateOutcome),
});
export type MachinesUpdated = Static<typeof MachinesUpdated>;
/** The command detached; the operation still runs. */
export const Detached = object({
  kind: Type.Literal("detached"),
  operation: text(),
  committed: Type.Boolean(),
});
export type Detached = Static<typeof Detached>;
export const Namespaces = object({ kind: Type.Literal("namespaces"), namespaces: list(NamespaceRow) });
export type Namespaces = Static<typeof Namespaces>;
export const NamespaceDocument = object({ kind: Type.Literal("namespace"), ...namespaceRow });
export type NamespaceDocument = Static<typeof NamespaceDocument>;
/** One volume; `copies` are retired and unfinished copies on all machines. */
export const VolumeDocument = object({ kind: Type.Literal("volume"), ...volumeRow, copies: list(VolumeRow) });
export type VolumeDocument = Static<typeof VolumeDocument>;
export const VersionDocument = object({
  kind: Type.Literal("version"),
  version: text(),
  build: text(),
  node: text(),
  /** Null: not reachable. Absent: not asked, with `--version`. */
  daemon: Type.Optional(Type.Union([Release, Type.Null()])),
});
export type VersionDocument = Static<typeof VersionDocument>;
export const ReadyDocument = object({
  kind: Type.Literal("ready"),
  ready: Type.Boolean(),
  missing: list(text()),
});
export type ReadyDocument = Static<typeof ReadyDocument>;
/** Nothing is printed of it: the program's own output was. */
const ExecDocument = object({ kind: Type.Literal("exec"), exitCode: count() });
export type ExecDocument = Static<typeof ExecDocument>;
const started = { instance: text(), machine: text(), keep: Type.Optional(Type.Literal(true)) };
export const RunStarted = object({ kind: Type.Literal("run-started"), ...started });
export type RunStarted = Static<typeof RunStarted>;
const CopyDocument = object({
  kind: Type.Literal("copied"),
  from: text(),
  to: text(),
  instance: text(),
  bytes: count(),
});
export type CopyDocument = Static<typeof CopyDocument>;
export const TextDocument = object({ kind: Type.Literal("text"), text: text() });
export type TextDocument = Static<typeof TextDocument>;

/** Every `--json` document by its `kind`. Fields may be added; see docs/cli.md. */
export const DOCUMENTS = {
  alert: AlertDocument,
  "alert-removed": AlertChanged,
  "alert-set": AlertChanged,
  "alert-tested": AlertTested,
  alerts: AlertList,
  "access-log": FOLLOWED["access-log"],
  audit: FOLLOWED.audit,
  abort: OperationAbort,
  commit: CommitDocument,
  context: ContextDocument,
  "context-removed": ContextRemoved,
  contexts: ContextList,
  copied: CopyDocument,
  daemon: DaemonStatus,
  "daemon-installed": DaemonInstalled,
  "daemon-stopped": DaemonStopped,
  "daemon-uninstalled": DaemonUninstalled,
  backup: BackupDocument,
  "backup-repositories": RepositoryList,
  "backup-repository": RepositoryDocument,
  backups: BackupList,
  detached: Detached,
  dev: DevDocument,
  "dev-machines": DevMachines,
  "dev-power": DevPower,
  "dev-down": DevDown,
  doctor: DoctorReport,
  error: ErrorDocument,
  events: FOLLOWED.events,
  exec: ExecDocument,
  history: CommitHistory,
  "certificate-account": CertificateAccount,
  certificates: CertificateList,
  image: ImageDocument,
  "image-built": ImageBuilt,
  "image-pushed": ImagePushed,
  "image-status": ImageStatus,
  images: ImageList,
  instances: InstanceList,
  invite: InviteDocument,
  "invite-created": InviteCreated,
  invites: InviteList,
  left: MeshLeft,
  logs: FOLLOWED.logs,
  machine: MachineDocument,
  "machine-add": MachineAdded,
  "machine-update": MachinesUpdated,
  machines: MachineList,
  manifest: ManifestDocument,
  mesh: MeshStatus,
  namespace: NamespaceDocument,
  namespaces: Namespaces,
  "network-policy": NetworkPolicyDocument,
  operation: OperationResult,
  "operation-detail": OperationDetail,
  operations: OperationList,
  plan: PlanView,
  ready: ReadyDocument,
  registries: RegistryList,
  "registry-removed": RegistryChanged,
  "registry-set": RegistryChanged,
  gateways: GatewayList,
  routes: RouteList,
  "run-started": RunStarted,
  "run-stopped": RunStopped,
  runs: RunList,
  rtt: RttTable,
  schedule: ScheduleDocument,
  schedules: ScheduleList,
  standbys: StandbyList,
  "secret-removed": SecretChanged,
  "secret-set": SecretChanged,
  secrets: SecretList,
  "self-record": SelfRecord,
  snapshots: SnapshotList,
  status: ClusterStatus,
  store: StoreStatus,
  "store-moved": StoreMoved,
  "store-plan": StorePlan,
  "store-repaired": StoreRepaired,
  "store-snapshot": StoreSnapshot,
  text: TextDocument,
  ...TOKEN_DOCUMENTS,
  usage: FOLLOWED.usage,
  version: VersionDocument,
  volume: VolumeDocument,
  "volume-exported": VolumeExported,
  volumes: VolumeList,
} as const;

export type Kind = keyof typeof DOCUMENTS;
export type Document =
  | Exclude<Static<(typeof DOCUMENTS)[Kind]>, Static<(typeof FOLLOWED)[keyof typeof FOLLOWED]>>
  | FollowedDocument;

const Note = object({ type: Type.Literal("note"), text: text() });
/** `of`: one of several operations that run in parallel. */
const Event = Type.Intersect([
  Type.Union([OperationEvent, StoreEvent, Note]),
  object({ of: Type.Optional(text()) }),
]);

/** Lines of NDJSON: of `--json --events` on stderr, and of `logs`, `gateway log`, `audit` and `events` with `--follow --json`. */
export const LINES = {
  "access-event": AccessEvent,
  "audit-entry": AuditEntry,
  "cluster-event": ClusterEvent,
  event: Event,
  "log-event": LogEvent,
} as const;
