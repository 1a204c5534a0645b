import Type, { type Static } from "typebox";
import { BackupPolicy } from "./backup.ts";
import { ContainerSpec, FileSpec } from "./container.ts";
import { label } from "./fields.ts";
import { Liveness, Probe, Readiness } from "./probe.ts";
import { RouteOptions, RouteRedirect } from "./route-options.ts";
import { KeepRule, Schedule } from "./schedule.ts";
import { address, count, list, map, object, port, text } from "./schema.ts";

export { ContainerSpec, FileSpec, Liveness, Probe, Readiness };

/** A value, or the name of a secret, whose value is nowhere in a commit. */
export type EnvValue = string | { readonly secret: string };

/** A route of a service: an HTTP host and path, or a TCP or UDP port. */
export const RouteSpec = Type.Union([
  object({
    ...{ kind: Type.Literal("http"), host: text(), path: text() },
    /** Name of the service's port; absent for a redirect. */
    port: Type.Optional(text()),
    redirect: Type.Optional(RouteRedirect),
    /** Served over TLS; plain HTTP is redirected, unless `http` says otherwise. */
    tls: Type.Optional(Type.Literal(true)),
    http: Type.Optional(Type.Literal("serve")),
    options: Type.Optional(RouteOptions),
  }),
  object({ kind: Type.Enum(["tcp", "udp"]), listen: port(), port: text() }),
]);
/** Static type of the schema of this name. */
export type RouteSpec = Static<typeof RouteSpec>;

/** A port of the machine that leads to the instance on it. */
export const HostPort = object({
  protocol: Type.Enum(["tcp", "udp"]),
  port: port(),
  /** Of the machine; absent: every address. */
  address: Type.Optional(address()),
  /** Name of the service's port. */
  to: text(),
});
/** Static type of the schema of this name. */
export type HostPort = Static<typeof HostPort>;

/** What services and jobs have in common. Secrets only by name. */
const workload = {
  image: Type.Optional(
    /** `digest` is what a machine runs: `sha256:…`, an image id or repo digest. */
    object({ ref: text(), digest: text() }),
  ),
  bundle: Type.Optional(object({ digest: text() })),
  /** Instead of the image's entrypoint and command. */
  entrypoint: Type.Optional(list(text())),
  command: Type.Optional(list(text())),
  env: map(Type.Union([text(), object({ secret: text() })])),
  user: Type.Optional(text()),
  constraints: Type.Optional(
    object({
      region: Type.Optional(text()),
      az: Type.Optional(text()),
      arch: Type.Optional(text()),
      machines: Type.Optional(list(text())),
      labels: Type.Optional(map(text())),
    }),
  ),
  after: list(text()),
  resources: Type.Optional(
    object({
      cpus: Type.Optional(Type.Number()),
      memoryBytes: Type.Optional(count()),
      pids: Type.Optional(count()),
    }),
  ),
  workingDir: Type.Optional(text()),
  stopSignal: Type.Optional(text()),
  /** By path. */
  files: Type.Optional(map(FileSpec)),
  container: Type.Optional(ContainerSpec),
  /** Milliseconds between the stop signal and SIGKILL. */
  stopGraceMs: count(),
};

const placement = Type.Union([
  object({
    kind: Type.Literal("replicas"),
    count: count(),
    /** Of equal count: over these first, then over machines. */
    spread: Type.Optional(Type.Enum(["az", "region"])),
  }),
  object({ kind: Type.Literal("every-machine") }),
]);

/** A service with every choice made: image by digest, defaults filled in. */
export const ServiceSpec = object({
  ...workload,
  placement,
  ports: map(port()),
  /** Sorted. Absent: none. */
  hostPorts: Type.Optional(list(HostPort)),
  ready: Type.Optional(Readiness),
  /** Absent: an instance that runs is not asked again. */
  liveness: Type.Optional(Liveness),
  /** Milliseconds that in-flight requests get before SIGTERM. */
  drainMs: count(),
  update: Type.Enum(["start-first", "stop-first"]),
  volumes: map(text()),
  routes: list(RouteSpec),
  /** Workloads of other namespaces that may connect, sorted: `gw`, `gw:web`, `pr-*` or `*`. Absent: none. */
  allowFrom: Type.Optional(list(text())),
});
export type ServiceSpec = Static<typeof ServiceSpec>;

/** A job with every choice made: it runs once, to exit code 0, before what comes after it starts; or by its schedule. */
export const JobSpec = object({
  ...workload,
  /** Milliseconds it may run. */
  timeoutMs: count(),
  /** It runs at these times, and not in a deploy. */
  schedule: Type.Optional(Schedule),
});
export type JobSpec = Static<typeof JobSpec>;

/** The service of a canary, its share, and the fields of the manifest that its own spec leaves out. */
export const Canary = object({
  /** The service whose requests it gets a share of. */
  of: text(),
  /** Percent of the requests of each route, 1 to 99. */
  share: count(),
  placement,
  routes: list(RouteSpec),
});
/** Static type of the schema of this name. */
export type Canary = Static<typeof Canary>;

/** A service in a commit: its spec and the hash of it. */
export const CommittedService = object({
  /** Hash of `spec`. */
  revision: text(),
  spec: ServiceSpec,
  /** Nothing of it runs, because its data was lost with a machine. Deploying it again lifts that. */
  suspended: Type.Optional(Type.Literal(true)),
  /** Nothing of it runs, because the operator stopped it. A deploy does not start it. */
  stopped: Type.Optional(Type.Literal(true)),
  /** Its HTTP routes answer 503 with a page. A deploy does not end it. */
  maintenance: Type.Optional(Type.Literal(true)),
  /** It is a canary: a new version beside the service that has the routes. A manifest cannot name it. */
  canary: Type.Optional(Canary),
});
/** Static type of the schema of this name. */
export type CommittedService = Static<typeof CommittedService>;

/** One value of a secret. Setting it again makes another version. */
export const SecretRef = object({
  /** Whose it is: the instance's namespace, or one that this was branched from. */
  namespace: text(),
  name: text(),
  version: text(),
});
export type SecretRef = Static<typeof SecretRef>;

/** Which instance, and where: fields of a committed one and of a candidate. */
export const instanceFields = {
  /** Unique for ever: `<namespace>.<service>.<slot>.<last characters of the operation id>`. */
  id: text(),
  service: text(),
  slot: count(),
  machine: text(),
  address: address(),
  ports: map(port()),
};

/** A committed instance: its machine, overlay address and ports. */
export const Instance = object({
  ...instanceFields,
  /**
   * `instanceRevision` of the service's spec when it was started: the hash of what an instance runs with. A change of routes, drain
   * or placement alone leaves it, and so the instance, as it is; it is not the service's revision.
   */
  revision: text(),
  /** Ids of the volumes that it was started with, by name; absent when it has none. */
  volumes: Type.Optional(map(text())),
  /** The secrets that it was started with, by variable or path of a file; absent when it has none. */
  secrets: Type.Optional(map(SecretRef)),
});
/** Static type of the schema of this name. */
export type Instance = Static<typeof Instance>;

/** Properties of a volume. Sizes are bytes. */
export const VolumeSpec = object({
  /** `single`: one instance writes at a time. `shared`: any number of instances on the volume's machine. */
  scope: Type.Enum(["single", "shared"]),
  quotaBytes: Type.Optional(count()),
  recordsizeBytes: Type.Optional(count()),
  /** Snapshots by a schedule, and how many of them stay. A copy under another name does not inherit it. */
  snapshots: Type.Optional(object({ schedule: Schedule, keep: KeepRule })),
  /** Machines that follow the volume with a copy of their own, and how often. A copy under another name does not inherit it. */
  standby: Type.Optional(object({ machines: list(text()), everyMs: count() })),
  /** Backups by a schedule. A copy under another name does not inherit it. */
  backup: Type.Optional(BackupPolicy),
});
/** Static type of the schema of this name. */
export type VolumeSpec = Static<typeof VolumeSpec>;

/** The snapshot that a volume was made from. */
export const VolumeOrigin = object({
  namespace: text(),
  volume: text(),
  snapshot: text(),
  /** Of the snapshot, where it came in a file: what tells that file from any other. */
  guid: Type.Optional(text()),
});
/** The evidence of a volume's last move: the snapshot that arrived. */
export const VolumeMove = object({ from: text(), snapshot: text(), guid: text() });

/** One volume of a namespace. Exactly one dataset on one machine is it; other copies are sealed, incoming or retired. */
export const Volume = object({
  name: text(),
  /** Unique for ever: `<namespace>.<name>.<last characters of the operation id>`. Names the dataset; stays the same over a move. */
  id: text(),
  machine: text(),
  /** The dataset's guid on that machine, in decimal. */
  guid: text(),
  spec: VolumeSpec,
  /** The source of the clone or copy. */
  origin: Type.Optional(VolumeOrigin),
  /** Evidence of the last move: the snapshot whose guid was the same on both machines before the target was opened for writing. */
  moved: Type.Optional(VolumeMove),
});
export type Volume = Static<typeof Volume>;

/** A snapshot that a commit names, with its ZFS guid. */
export const VolumeSnapshot = object({
  /** Name of the volume. */
  volume: text(),
  id: text(),
  machine: text(),
  snapshot: text(),
  /** Of the snapshot; the same on every machine that received it. */
  guid: text(),
});
/** Static type of the schema of this name. */
export type VolumeSnapshot = Static<typeof VolumeSnapshot>;

/** `since`: the operation in which the namespace took the host. Absent for TCP routes, and for hosts taken before 0.4: those are older than any. */
export const CommittedRoute = Type.Intersect([
  RouteSpec,
  object({ service: text(), since: Type.Optional(text()) }),
]);
export type CommittedRoute = Static<typeof CommittedRoute>;

/** Where a commit came from. */
export const stamp = {
  /** The operation that made it; also what settles a retried append. */
  operation: text(),
  primitive: text(),
  /** RFC 3339, by the coordinator's clock; for people only. */
  at: text(),
  /** `user@machine`, for people only. */
  by: text(),
  /** The namespace was removed: nothing of it runs, and it is not listed. */
  removed: Type.Optional(Type.Literal(true)),
  /** Where the state came from: `from` is a namespace, `revision` its commit. */
  lineage: Type.Optional(
    object({ kind: Type.Enum(["branch", "rollback", "promote"]), from: text(), revision: count() }),
  ),
};

/** The whole state of a namespace after one operation. A reader needs the last one only; nothing is folded. */
export const Commit = object({
  v: Type.Literal(1),
  namespace: label(),
  ...stamp,
  services: map(CommittedService),
  /** Jobs that ran to success for this state, by name: the revision (hash of `spec`) that succeeded. */
  jobs: map(object({ revision: text(), spec: JobSpec })),
  instances: list(Instance),
  volumes: list(Volume),
  routes: list(CommittedRoute),
  /** Namespaces that may route the hosts of this one, sorted. A branch or a rollback does not take it over. */
  allowRoutesFrom: Type.Optional(list(text())),
  /**
   * The volumes of the commit before this one, as this operation left them: what a rollback of data goes back to. Each is a snapshot
   * named after this operation.
   */
  before: Type.Optional(list(VolumeSnapshot)),
  /** The namespace that this one was branched from: what it has no secret for it may have from there. */
  branchedFrom: Type.Optional(text()),
});
export type Commit = Static<typeof Commit>;

/** A namespace in which there is nothing. */
export const emptyCommit = (
  of: Pick<Commit, "namespace" | "operation" | "primitive" | "at" | "by">,
): Commit => ({ v: 1, ...of, services: {}, jobs: {}, instances: [], volumes: [], routes: [] });
