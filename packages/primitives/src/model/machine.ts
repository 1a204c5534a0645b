/** Intent: one member of the cluster, under the fact `machine.<id>`. Liveness is never in it. */
export type MachineRecord = {
  /** A DNS label; the operator's name for the machine. */
  readonly id: string;
  /** Picks the subnet; 1 is the founder. Never used twice while a record or a `subnet.<index>` fact stands. */
  readonly index: number;
  /** `joining` until the add commits. */
  readonly state: "joining" | "active";
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

/** Intent: the cluster itself, under the fact `cluster`. */
export type ClusterRecord = {
  readonly name: string;
  readonly id: string;
  readonly clusterCidr: string;
  readonly subnetPrefixLength: number;
  /** The store's generation; part of every fence. */
  readonly generation: number;
};
