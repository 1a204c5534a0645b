import type { BranchInput } from "../branch/input.ts";
import type { Asked, PrimitiveName } from "../inputs.ts";
import type {
  OperationAbort,
  OperationDetail,
  OperationEvent,
  OperationList,
  OperationRequest,
} from "../model/operation.ts";
import type { AccessApi } from "./access.ts";
import type { AlertApi } from "./alert-api.ts";
import type { BackupApi } from "./backup-api.ts";
import type { Body } from "./bodies.ts";
import type { CertificateApi } from "./certificate-api.ts";
import type { DaemonKept, DaemonStatus, Version } from "./daemon.ts";
import type { ClusterEvent } from "./events.ts";
import type { GatewayList } from "./gateways.ts";
import type { ImageDocument, ImageList, ImagePushed, ImageStatus } from "./images.ts";
import type { InviteCreate, InviteCreated, InviteDocument, InviteList } from "./invites.ts";
import type { LogEvent } from "./logs.ts";
import type { MeshLeft, MeshStatus, SelfRecord } from "./mesh.ts";
import type { RegistryChanged, RegistryList, RegistryLogin } from "./registries.ts";
import type { RunList, RunStopped } from "./runs.ts";
import type { ScheduleDocument, ScheduleList } from "./schedules.ts";
import type { SecretChanged, SecretList, SecretSet } from "./secrets.ts";
import type { StandbyList } from "./standbys.ts";
import type { ClusterStatus } from "./status.ts";
import type {
  StoreEvent,
  StoreMove,
  StoreRecover,
  StoreRepair,
  StoreRepaired,
  StoreRestore,
  StoreStatus,
} from "./store.ts";
import type { TokenApi } from "./token-api.ts";
import type {
  AuditEntry,
  CommitDocument,
  CommitHistory,
  DoctorReport,
  InstanceList,
  MachineList,
  ManifestDocument,
  NetworkPolicyDocument,
  RouteList,
  RttTable,
  SnapshotList,
  VolumeList,
} from "./views.ts";
import type { VolumeImportRequest } from "./volume-file.ts";

export type { Asked, PrimitiveInputs, PrimitiveName } from "../inputs.ts";
export type * from "./access.ts";
export type * from "./alerts.ts";
export type * from "./backups.ts";
export type * from "./certificates.ts";
export type * from "./daemon.ts";
export type * from "./events.ts";
export type * from "./gateways.ts";
export type * from "./images.ts";
export type * from "./invites.ts";
export type * from "./logs.ts";
export type * from "./mesh.ts";
export type * from "./registries.ts";
export type * from "./runs.ts";
export type * from "./schedules.ts";
export type * from "./secrets.ts";
export type * from "./standbys.ts";
export type * from "./status.ts";
export type * from "./tokens.ts";
export type * from "./views.ts";
export type * from "./volume-file.ts";

/** For completion: from the state of the daemon's own machine, without a call to another. */
export interface NameList {
  readonly kind: "names";
  readonly machines: readonly string[];
  readonly namespaces: readonly {
    readonly namespace: string;
    readonly services: readonly string[];
    readonly volumes: readonly string[];
  }[];
}

/**
 * The local API of a daemon: HTTP/1.1 with JSON on a Unix socket, streams as NDJSON. Every error answers with `{ error: ErrorBody }`
 * and a status (400 invalid input, 409 precondition, 503 not reachable, 500 else).
 */
export interface Api extends AlertApi, BackupApi, CertificateApi, TokenApi {
  "GET /v1/version": {
    query: Record<never, string>;
    body: undefined;
    out: Version;
  };
  /** Puts right what another program changed of this machine's setup, and restarts a gateway or DNS that has fallen behind. */
  "POST /v1/daemon/keep": { query: Record<never, string>; body: undefined; out: DaemonKept };
  "GET /v1/daemon": { query: Record<never, string>; body: undefined; out: DaemonStatus };
  /** Makes a cluster of this machine. Idempotent for the same name. */
  "POST /v1/mesh/init": { query: Record<never, string>; body: MeshInit; out: MeshStatus };
  "GET /v1/mesh": { query: Record<never, string>; body: undefined; out: MeshStatus };
  /** Identity of this machine (made when missing): public keys and endpoints. */
  "GET /v1/mesh/self": { query: { address?: string }; body: undefined; out: SelfRecord };
  "POST /v1/mesh/join": { query: Record<never, string>; body: JoinDocument; out: MeshStatus };
  /** Asks the member that the token names for a seat, and takes it. The same token again resumes an interrupted join. */
  "POST /v1/mesh/join-by-token": {
    query: Record<never, string>;
    body: Body<"POST /v1/mesh/join-by-token">;
    out: MeshStatus;
  };
  /** The token is shown this once only. */
  "POST /v1/invites": { query: Record<never, string>; body: InviteCreate; out: InviteCreated };
  "GET /v1/invites": { query: Record<never, string>; body: undefined; out: InviteList };
  "POST /v1/invites/:id/revoke": { query: Record<never, string>; body: undefined; out: InviteDocument };
  /** Where peers may reach this machine from now on; default: what it finds on its interfaces. */
  "POST /v1/mesh/endpoints": { query: Record<never, string>; body: MeshEndpoints; out: MeshStatus };
  /** Leaves: workloads, interface, rules, identity gone. Refuses for a store machine with other members, unless `destroy`. */
  "POST /v1/mesh/leave": {
    query: Record<never, string>;
    body: Body<"POST /v1/mesh/leave">;
    out: MeshLeft;
  };
  "GET /v1/machines": { query: Record<never, string>; body: undefined; out: MachineList };
  "GET /v1/machines/rtt": { query: Record<never, string>; body: undefined; out: RttTable };
  "GET /v1/status": { query: Record<never, string>; body: undefined; out: ClusterStatus };
  "GET /v1/names": { query: Record<never, string>; body: undefined; out: NameList };
  "GET /v1/network/policy": { query: { namespace?: string }; body: undefined; out: NetworkPolicyDocument };
  /** Answers when the machines follow, or after ten seconds. */
  "POST /v1/network/isolation": {
    query: Record<never, string>;
    body: Body<"POST /v1/network/isolation">;
    out: NetworkPolicyDocument;
  };
  "GET /v1/doctor": { query: Record<never, string>; body: undefined; out: DoctorReport };
  /** One-off instances of all machines. */
  "GET /v1/runs": { query: Record<never, string>; body: undefined; out: RunList };
  /** Stops it, and removes it. */
  "POST /v1/runs/:id/stop": { query: Record<never, string>; body: undefined; out: RunStopped };
  "GET /v1/ps": { query: { namespace?: string; service?: string }; body: undefined; out: InstanceList };
  /** Newest first. */
  /** What this machine's gateway serves. */
  "GET /v1/routes": { query: Record<never, string>; body: undefined; out: RouteList };
  /** What the gateways of all machines, or of one, serve now. */
  "GET /v1/gateways": { query: { machine?: string }; body: undefined; out: GatewayList };
  "GET /v1/namespaces/:ns/history": { query: { limit?: string }; body: undefined; out: CommitHistory };
  /** `:commit` is a revision, an operation's id or at least six characters of its beginning, or `last`. Values of `env` are left out. */
  "GET /v1/namespaces/:ns/commits/:commit": {
    query: Record<never, string>;
    body: undefined;
    out: CommitDocument;
  };
  /** A commit (default: the last) as a manifest, the values of `env` included: as secret as they are. */
  "GET /v1/namespaces/:ns/manifest": { query: { commit?: string }; body: undefined; out: ManifestDocument };
  /** What a branch would be, as a manifest. The body is the input of `branch`. */
  "POST /v1/branch/manifest": { query: Record<never, string>; body: BranchInput; out: ManifestDocument };
  /** Committed volumes and every other copy that machines have. */
  "GET /v1/volumes": { query: { namespace?: string }; body: undefined; out: VolumeList };
  "GET /v1/volumes/:ns/:name/snapshots": { query: Record<never, string>; body: undefined; out: SnapshotList };
  /** `primitive`: only operations of these, names with commas between. */
  "GET /v1/operations": {
    query: { limit?: string; primitive?: string };
    body: undefined;
    out: OperationList;
  };
  "GET /v1/operations/:id": { query: Record<never, string>; body: undefined; out: OperationDetail };
  /** `giveUp`: ids of steps, one a line, that are not owed any more when they fail. */
  "POST /v1/operations/:id/abort": {
    query: { giveUp?: string };
    body: undefined;
    out: OperationAbort;
  };
  /** Whether the daemon has the bundle; PUT the tar to the same path when not. */
  "GET /v1/bundles/:digest": {
    query: Record<never, string>;
    body: undefined;
    out: { kind: "bundle"; digest: string; present: boolean };
  };
  "GET /v1/schedules": { query: { namespace?: string }; body: undefined; out: ScheduleList };
  /** Pauses or resumes it. */
  "POST /v1/schedules/:ns/:name": {
    query: Record<never, string>;
    body: Body<"POST /v1/schedules/:ns/:name">;
    out: ScheduleDocument;
  };
  "GET /v1/standbys": { query: { namespace?: string }; body: undefined; out: StandbyList };
  "GET /v1/secrets": { query: { namespace?: string }; body: undefined; out: SecretList };
  /** The value is in the body only; nothing tells it again. The same value again changes nothing. */
  "PUT /v1/secrets/:ns/:name": { query: Record<never, string>; body: SecretSet; out: SecretChanged };
  /** Refused while something uses it. */
  "DELETE /v1/secrets/:ns/:name": { query: Record<never, string>; body: undefined; out: SecretChanged };
  "POST /v1/store/repair": { query: Record<never, string>; body: StoreRepair; out: StoreRepaired };
  /** The images in the machines' stores. */
  "GET /v1/images": { query: { machine?: string }; body: undefined; out: ImageList };
  "GET /v1/images/usage": {
    query: { machine?: string; all?: "true"; ref?: string };
    body: undefined;
    out: ImageStatus;
  };
  /** `ref`: a name, a digest, or its beginning. */
  "GET /v1/images/inspect": { query: { ref: string }; body: undefined; out: ImageDocument };
  "GET /v1/registries": { query: Record<never, string>; body: undefined; out: RegistryList };
  /** The password is in the body only; nothing tells it again. Refused when the registry does not accept it. */
  "PUT /v1/registries": { query: Record<never, string>; body: RegistryLogin; out: RegistryChanged };
  "DELETE /v1/registries/:host": { query: Record<never, string>; body: undefined; out: RegistryChanged };
  "GET /v1/store": { query: Record<never, string>; body: undefined; out: StoreStatus };
}

/** NDJSON streams. */
export interface ApiStreams extends AccessApi {
  /** Runs in the daemon and continues when the caller disconnects. Ends with one `result` or `refused`. */
  "POST /v1/operations": { query: Record<never, string>; body: OperationCall; event: OperationEvent };
  "GET /v1/operations/:id/events": { query: Record<never, string>; body: undefined; event: OperationEvent };
  /** Continues when the caller disconnects. Ends with a plan (`preview`), a result or refusals. */
  "POST /v1/store/move": { query: Record<never, string>; body: StoreMove; event: StoreEvent };
  "POST /v1/store/restore": { query: Record<never, string>; body: StoreRestore; event: StoreEvent };
  "POST /v1/store/recover": { query: Record<never, string>; body: StoreRecover; event: StoreEvent };
  /** Changing calls that this machine has obeyed, oldest first. */
  "GET /v1/audit": { query: { follow?: "true"; tail?: string }; body: undefined; event: AuditEntry };
  /**
   * Changes of the cluster. `since`: milliseconds; operations and commits of that time come first, oldest first. `follow`: then those that
   * come, from `following` on. `samples`: with what machines and instances use, for as long as it is followed.
   */
  "GET /v1/events": {
    query: { since?: string; follow?: "true"; samples?: "true" };
    body: undefined;
    event: ClusterEvent;
  };
  "GET /v1/logs": {
    /**
     * `target` is a namespace, a service of it (`prod/web`), or one of its instances by number (`prod/web.2`). `since` and `until` are milliseconds since the epoch. Without them and `tail`: the last 100 lines of each instance. `previous`: of
     * those that were replaced or have ended; `instance`: of this one, by its id.
     */
    query: {
      target: string;
      follow?: "true";
      tail?: string;
      since?: string;
      until?: string;
      previous?: "true";
      instance?: string;
      stream?: "stdout" | "stderr";
    };
    body: undefined;
    event: LogEvent;
  };
}

/** Routes whose request is a file. */
export interface ApiUploads {
  "PUT /v1/bundles/:digest": {
    query: Record<never, string>;
    body: undefined;
    out: { kind: "bundle"; digest: string; present: true; bytes: number };
  };
  /** The output of `docker save`, or a tar of an OCI image layout. */
  "PUT /v1/images": { query: { name?: string }; body: undefined; out: ImagePushed };
  "PUT /v1/store/backup": {
    query: Record<never, string>;
    body: undefined;
    out: { kind: "upload"; id: string };
  };
}

/** Routes whose request is a file, and whose answer is a stream of NDJSON. */
export interface ApiUploadStreams {
  "POST /v1/volumes/import": { query: VolumeImportRequest; body: undefined; event: OperationEvent };
}

/** Routes whose answer is a file. */
export interface ApiFiles {
  "GET /v1/volumes/:ns/:name/export": { query: { snapshot: string; since?: string }; body: undefined };
  "POST /v1/store/snapshot": { query: Record<never, string>; body: Body<"POST /v1/store/snapshot"> };
}

/** An operation to run: a primitive with its own input, or the id of a prepared plan, which has both. */
export type OperationCall = Omit<OperationRequest, "primitive" | "input" | "prepared"> &
  (
    | (Asked & { readonly prepared?: undefined })
    | { readonly primitive: PrimitiveName; readonly input: null; readonly prepared: string }
  );

/** Body of `POST /v1/mesh/init`. */
export type MeshInit = Body<"POST /v1/mesh/init">;
/** What a machine needs to take its seat in the mesh. */
export type JoinDocument = Body<"POST /v1/mesh/join">;
/** Body of `POST /v1/mesh/endpoints`. */
export type MeshEndpoints = Body<"POST /v1/mesh/endpoints">;
