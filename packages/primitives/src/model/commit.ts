/** The whole state of a namespace after one operation. What a reader needs is in the last one; nothing is folded. */
export type Commit = {
  readonly v: 1;
  readonly namespace: string;
  /** The operation that made it; also what settles a retried append. */
  readonly operation: string;
  readonly primitive: string;
  /** RFC 3339, by the coordinator's clock; for people only. */
  readonly at: string;
  /** `user@machine`, for people only. */
  readonly by: string;
  readonly services: Readonly<Record<string, CommittedService>>;
  /** Jobs that ran to success for this state, by name: the revision (hash of `spec`) that succeeded. */
  readonly jobs: Readonly<Record<string, { readonly revision: string; readonly spec: JobSpec }>>;
  readonly instances: readonly Instance[];
  readonly volumes: readonly Volume[];
  readonly routes: readonly CommittedRoute[];
  /** Namespaces that may route the hosts of this one, sorted. A branch or a rollback does not take it over. */
  readonly allowRoutesFrom?: readonly string[];
  /**
   * The volumes of the commit before this one, as this operation left them: what a rollback of data goes back to. Each is a snapshot
   * named after this operation.
   */
  readonly before?: readonly VolumeSnapshot[];
  /** The namespace was removed: nothing of it runs, and it is not listed. */
  readonly removed?: true;
  /** The namespace that this one was branched from: what it has no secret for it may have from there. */
  readonly branchedFrom?: string;
  /** Where the state came from: `from` is a namespace, `revision` its commit. */
  readonly lineage?: {
    readonly kind: "branch" | "rollback" | "promote";
    readonly from: string;
    readonly revision: number;
  };
};

export type CommittedService = {
  /** Hash of `spec`. */
  readonly revision: string;
  readonly spec: ServiceSpec;
  /** Nothing of it runs, because its data was lost with a machine. Deploying it again lifts that. */
  readonly suspended?: true;
};

/** A service with every choice made: image by digest, defaults filled in. Secrets only by name. */
export type ServiceSpec = {
  readonly image?: {
    readonly ref: string /** What a machine runs: `sha256:…` image id or repo digest. */;
    readonly digest: string;
  };
  readonly bundle?: { readonly digest: string };
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly user?: string;
  readonly placement:
    | { readonly kind: "replicas"; readonly count: number }
    | { readonly kind: "every-machine" };
  readonly constraints?: {
    readonly region?: string;
    readonly az?: string;
    readonly machines?: readonly string[];
  };
  readonly ports: Readonly<Record<string, number>>;
  readonly ready?: Readiness;
  /** Milliseconds that in-flight requests get before SIGTERM. */
  readonly drainMs: number;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly stopGraceMs: number;
  readonly update: "start-first" | "stop-first";
  readonly after: readonly string[];
  readonly resources?: { readonly cpus?: number; readonly memoryBytes?: number; readonly pids?: number };
  readonly volumes: Readonly<Record<string, string>>;
  readonly routes: readonly RouteSpec[];
  /** Workloads of other namespaces that may connect, sorted: `gw`, `gw:web`, `pr-*` or `*`. Absent: none. */
  readonly allowFrom?: readonly string[];
};

/** A value, or the name of a secret, whose value is nowhere in a commit. */
export type EnvValue = string | { readonly secret: string };

/** A job with every choice made: it runs once, to exit code 0, before what comes after it starts. */
export type JobSpec = Pick<
  ServiceSpec,
  "image" | "bundle" | "command" | "env" | "user" | "constraints" | "after" | "resources" | "stopGraceMs"
> & {
  /** Milliseconds it may run. */
  readonly timeoutMs: number;
};

export type Readiness =
  | { readonly kind: "http"; readonly path: string; readonly port: string; readonly timeoutMs: number }
  | { readonly kind: "tcp"; readonly port: string; readonly timeoutMs: number }
  /** No check named: it must stay up for `settleMs`. */
  | { readonly kind: "running"; readonly settleMs: number; readonly timeoutMs: number };

export type RouteSpec =
  | { readonly kind: "http"; readonly host: string; readonly path: string; readonly port: string }
  | { readonly kind: "tcp"; readonly listen: number; readonly port: string };

export type Instance = {
  /** Unique for ever: `<namespace>.<service>.<slot>.<last characters of the operation id>`. */
  readonly id: string;
  readonly service: string;
  readonly slot: number;
  readonly machine: string;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  /**
   * `instanceRevision` of the service's spec when it was started: the hash of what an instance runs with. A change of routes, drain
   * or placement alone leaves it, and so the instance, as it is; it is not the service's revision.
   */
  readonly revision: string;
  /** Ids of the volumes that it was started with, by name; absent when it has none. */
  readonly volumes?: Readonly<Record<string, string>>;
  /** The secrets that it was started with, by variable; absent when it has none. */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
};

/** One value of a secret. Setting it again makes another version. */
export type SecretRef = {
  /** Whose it is: the instance's namespace, or one that this was branched from. */
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
};

export type VolumeSpec = {
  /** `single`: one instance writes at a time. `shared`: any number of instances on the volume's machine. */
  readonly scope: "single" | "shared";
  readonly quotaBytes?: number;
  readonly recordsizeBytes?: number;
};

/** One volume of a namespace. Exactly one dataset on one machine is it; other copies are sealed, incoming or retired. */
export type Volume = {
  readonly name: string;
  /** Unique for ever: `<namespace>.<name>.<last characters of the operation id>`. Names the dataset; stays the same over a move. */
  readonly id: string;
  readonly machine: string;
  /** The dataset's guid on that machine, in decimal. */
  readonly guid: string;
  readonly spec: VolumeSpec;
  /** What it was cloned or copied from. */
  readonly origin?: {
    readonly namespace: string;
    readonly volume: string;
    readonly snapshot: string;
    /** Of the snapshot, where it came in a file: what tells that file from any other. */
    readonly guid?: string;
  };
  /** Evidence of the last move: the snapshot whose guid was the same on both machines before the target was opened for writing. */
  readonly moved?: { readonly from: string; readonly snapshot: string; readonly guid: string };
};

export type VolumeSnapshot = {
  /** Name of the volume. */
  readonly volume: string;
  readonly id: string;
  readonly machine: string;
  readonly snapshot: string;
  /** Of the snapshot; the same on every machine that received it. */
  readonly guid: string;
};

/** `since`: the operation in which the namespace took the host. Absent for TCP routes, and for hosts taken before 0.4: those are older than any. */
export type CommittedRoute = RouteSpec & { readonly service: string; readonly since?: string };
