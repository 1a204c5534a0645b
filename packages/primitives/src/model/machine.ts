import Type, { type Static } from "typebox";
import { label } from "./fields.ts";
import { address, count, list, map, object, text } from "./schema.ts";

/** Remembered of a machine as long as its keys must not come back. */
const identity = {
  /** A DNS label; the operator's name for the machine. */
  id: label(),
  /** Picks the subnet; 1 is the founder. Never used twice while a record or a `subnet.<index>` fact stands. */
  index: count(),
  publicKey: text(),
  /** NATS user: the public nkey. */
  nkey: text(),
};

export const MachineState = Type.Enum(["joining", "active", "draining", "standby", "removed"]);

/** Intent: one member of the cluster, under the fact `machine.<id>`. Liveness is never in it. */
export const MachineRecord = object({
  ...identity,
  /**
   * `joining` until the add commits. A machine that is `draining` or on `standby` is a full member that takes no new instances.
   * `removed` from the commit of its removal until every member has removed the peer: then the fact is gone, and `removed.<id>` stands.
   */
  state: MachineState,
  /** Candidate `address:port` endpoints, best first. */
  endpoints: list(text()),
  /** Machine address on the overlay, e.g. 10.101.3.1. */
  address: address(),
  subnet: text(),
  /** Holds the store. */
  store: Type.Boolean(),
  runtime: Type.Enum(["docker", "process"]),
  region: Type.Optional(text()),
  az: Type.Optional(text()),
  /** For `constraints.labels`. */
  labels: Type.Optional(map(text())),
  /** Version of Ployz at the time of the add or the last update. */
  version: text(),
  /** The operation that added it. */
  operation: text(),
});
export type MachineRecord = Static<typeof MachineRecord>;

/** The lasting record of a removed machine, under the fact `removed.<id>`: its keys are never let in again. */
export const RemovedMachine = object({
  ...identity,
  /** The operation that removed it. */
  operation: text(),
  /** It did not answer when it was removed. */
  forced: Type.Boolean(),
});
export type RemovedMachine = Static<typeof RemovedMachine>;

/** Not on its way in or out. */
export const isMember = ({ state }: Pick<MachineRecord, "state">): boolean =>
  state === "active" || state === "draining" || state === "standby";

/** Intent: the cluster itself, under the fact `cluster`. */
export const ClusterRecord = object({
  name: text(),
  id: text(),
  clusterCidr: text(),
  subnetPrefixLength: count(),
  /** The store's generation; part of every fence. */
  generation: count(),
  /** Workloads reach their own namespace only, and what others open to them. Absent: every workload reaches every other, as before 0.4. */
  isolation: Type.Optional(Type.Literal("on")),
});
export type ClusterRecord = Static<typeof ClusterRecord>;

/** Whose subnet it is, under the fact `subnet.<index>`. */
export const SubnetRecord = object({ machine: text(), operation: text() });
export type SubnetRecord = Static<typeof SubnetRecord>;
