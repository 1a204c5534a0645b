/** Intent: one member of the cluster, under the fact `machine.<id>`. Liveness is never in it. */
export type MachineRecord = {
  /** A DNS label; the operator's name for the machine. */
  readonly id: string;
  /** Picks the subnet; 1 is the founder. Never used twice while a record or a `subnet.<index>` fact stands. */
  readonly index: number;
  /**
   * `joining` until the add commits. A machine that is `draining` or on `standby` is a full member that takes no new instances.
   * `removed` from the commit of its removal until everybody has let go of it: then the fact is gone, and `removed.<id>` stands.
   */
  readonly state: "joining" | "active" | "draining" | "standby" | "removed";
  readonly publicKey: string;
  /** Candidate `address:port` endpoints, best first. */
  readonly endpoints: readonly string[];
  /** NATS user: the public nkey. */
  readonly nkey: string;
  /** Machine address on the overlay, e.g. 10.101.3.1. */
  readonly address: string;
  readonly subnet: string;
  /** Holds the store. */
  readonly store: boolean;
  readonly runtime: "docker" | "process";
  readonly region?: string;
  readonly az?: string;
  /** Version of Ployz at the time of the add or the last update. */
  readonly version: string;
  /** The operation that added it. */
  readonly operation: string;
};

/** What is remembered of a machine that was removed, under the fact `removed.<id>`: its keys are never let in again. */
export type RemovedMachine = Pick<MachineRecord, "id" | "index" | "publicKey" | "nkey"> & {
  /** The operation that removed it. */
  readonly operation: string;
  /** It did not answer when it was removed. */
  readonly forced: boolean;
};

/** Not on its way in or out. */
export const isMember = ({ state }: Pick<MachineRecord, "state">): boolean =>
  state === "active" || state === "draining" || state === "standby";

/** Intent: the cluster itself, under the fact `cluster`. */
export type ClusterRecord = {
  readonly name: string;
  readonly id: string;
  readonly clusterCidr: string;
  readonly subnetPrefixLength: number;
  /** The store's generation; part of every fence. */
  readonly generation: number;
  /** Workloads reach their own namespace only, and what others open to them. Absent: every workload reaches every other, as before 0.4. */
  readonly isolation?: "on";
};
