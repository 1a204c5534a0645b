import Type, { type Static } from "typebox";
import { Allowed } from "./rights.ts";
import { count, list, map, object, text } from "./schema.ts";

const identity = { id: text(), namespace: text(), name: text() };
const VolumeIdentity = object(identity);
/** A volume's namespace, name and id. */
export type VolumeIdentity = Static<typeof VolumeIdentity>;

/** A snapshot on one machine. Sizes are bytes. */
export const ObservedSnapshot = object({
  name: text(),
  guid: text(),
  /** RFC 3339. */
  createdAt: text(),
  usedBytes: count(),
  /** What the volume held. Absent in older versions. */
  referencedBytes: Type.Optional(count()),
});
/** Static type of the schema of this name. */
export type ObservedSnapshot = Static<typeof ObservedSnapshot>;

/** What a copy of a volume may be used for. */
export const CopyState = Type.Enum(["active", "sealed", "incoming", "retired"]);

/**
 * `active`: the volume, or one that an operation is preparing. `sealed`: an operation closed it. `incoming`: a copy that is being
 * received. `retired`: kept until the retention lets it go.
 */
export const ObservedVolume = object({
  ...identity,
  state: CopyState,
  guid: text(),
  /** With its snapshots. */
  usedBytes: count(),
  referencedBytes: count(),
  quotaBytes: Type.Optional(count()),
  /** The operation that made this copy. */
  operation: text(),
  /** RFC 3339. */
  retiredAt: Type.Optional(text()),
  /** A retired copy that follows the volume as its standby. RFC 3339: it holds everything written before. */
  standby: Type.Optional(text()),
});
export type ObservedVolume = Static<typeof ObservedVolume>;

/** The part of a pool that Ployz may use. */
export const ObservedStorage = object({
  root: text(),
  availableBytes: count(),
  usedBytes: count(),
  /** Sum of the quotas of active volumes, of all namespaces. */
  promisedBytes: count(),
  /** How much may be promised in all: the pool's size times the overcommit ratio of this machine's configuration. */
  promisableBytes: count(),
  /** Of the pool, by zpool(8): `ONLINE`, `DEGRADED` and others. Absent in versions before 0.5. */
  health: Type.Optional(text()),
  /** Size of the whole pool. Absent in versions before 0.5. */
  poolBytes: Type.Optional(count()),
});
export type ObservedStorage = Static<typeof ObservedStorage>;

/** How often an instance was restarted because `liveness` found it hung, since its start; the last time and its reason. */
export const Hangs = object({ count: count(), at: text(), why: text() });
/** Static type of the schema of this name. */
export type Hangs = Static<typeof Hangs>;

/** An instance as its machine sees it. */
export const ObservedInstance = object({
  id: text(),
  namespace: text(),
  service: text(),
  slot: count(),
  kind: Type.Enum(["service", "job"]),
  revision: text(),
  operation: text(),
  state: Type.Enum(["created", "running", "exited"]),
  address: text(),
  startedAt: Type.Optional(text()),
  restarts: Type.Optional(count()),
  /** Those of the restarts that `liveness` made. Absent: none. */
  hangs: Type.Optional(Hangs),
  pid: Type.Optional(count()),
  exitCode: Type.Optional(Type.Integer()),
  oomKilled: Type.Optional(Type.Boolean()),
  memoryBytes: Type.Optional(count()),
  cpuNanos: Type.Optional(Type.Number()),
});
/** Static type of the schema of this name. */
export type ObservedInstance = Static<typeof ObservedInstance>;

/** Live, looked at when a decision needs it; never stored. */
export const MachineObservation = object({
  machine: text(),
  version: text(),
  /** Absent: a version from before machines could be updated. */
  build: Type.Optional(text()),
  runtime: Type.Enum(["docker", "process"]),
  runtimeVersion: text(),
  /** The process runtime runs images here: plans may then place them. Absent with Docker, and in older versions. */
  images: Type.Optional(Type.Literal(true)),
  arch: text(),
  cpus: Type.Number(),
  memoryBytes: count(),
  memoryFreeBytes: count(),
  diskFreeBytes: count(),
  /** Of the data folder's file system, where it counts them. Absent in versions before 0.5. */
  inodes: Type.Optional(object({ total: count(), free: count() })),
  /** Its clock, in epoch milliseconds. Absent in versions before 0.5. */
  clockMs: Type.Optional(count()),
  /** Instances that its gateway finds down. Absent: the gateway does not answer, or a version before 0.5. */
  down: Type.Optional(list(text())),
  draining: Type.Boolean(),
  /** Absent: no volumes here; `problems` says why when they were asked for. */
  storage: Type.Optional(ObservedStorage),
  volumes: list(ObservedVolume),
  load1: Type.Number(),
  /** Of the tunnel, in bytes. */
  mtu: Type.Optional(count()),
  /** TCP ports that are taken at the gateway's address, the gateway itself included. */
  tcpPorts: Type.Optional(list(count())),
  /** UDP ports that a program takes packets from outside at. Absent in versions before 0.5. */
  udpPorts: Type.Optional(list(count())),
  /** Its IPv4 addresses. Absent in versions before 0.5. */
  addresses: Type.Optional(list(text())),
  /** As its configuration says. Absent: a version from before 0.4. */
  keptPorts: Type.Optional(map(list(count()))),
  /** Rights that its configuration refuses to workloads: see `RIGHTS`, and perhaps others of a newer version. */
  refuses: Type.Optional(list(text())),
  /** What its configuration allows to workloads. Absent: nothing, or a version that knows none of it. */
  allowed: Type.Optional(Allowed),
  /** What of a commit it obeys, of what earlier versions ignore: see `FEATURES`. Absent: nothing of it. */
  features: Type.Optional(list(text())),
  instances: list(ObservedInstance),
  /** One-off instances, which no commit knows: running ones and kept ones. Absent: none, or a version before 0.5. */
  runs: Type.Optional(list(object({ id: text(), namespace: text() }))),
  problems: list(text()),
});
export type MachineObservation = Static<typeof MachineObservation>;
