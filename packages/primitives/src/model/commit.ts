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
};

/** A service with every choice made: image by digest, defaults filled in. Secrets only by name. */
export type ServiceSpec = {
  readonly image?: {
    readonly ref: string /** What a machine runs: `sha256:…` image id or repo digest. */;
    readonly digest: string;
  };
  readonly bundle?: { readonly digest: string };
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
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
  readonly resources?: { readonly cpus?: number; readonly memoryBytes?: number };
  readonly volumes: Readonly<Record<string, string>>;
  readonly routes: readonly RouteSpec[];
};

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
};

/** Room for part 2. */
export type Volume = {
  readonly name: string;
  readonly machine: string;
  readonly dataset: string;
  readonly guid: string;
};

export type CommittedRoute = RouteSpec & { readonly service: string };
