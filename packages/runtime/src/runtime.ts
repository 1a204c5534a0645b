import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "@ployz/exec";

/** The machine's bridge. `gateway` is the machine's own overlay address: the first host of `subnet`. */
export interface NetworkSpec {
  /** Interface name of the bridge, for example `ployz0`. */
  readonly bridge: string;
  /** This machine's part of the cluster, for example `10.101.3.0/24`. */
  readonly subnet: string;
  readonly gateway: string;
  readonly clusterCidr: string;
  readonly mtu: number;
}

/** A folder or file of the machine inside an instance. */
export interface Mount {
  /** Absolute path on the machine. It must exist. */
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
}

/** What an instance's programs have of the kernel, where it differs from the default. Sizes are bytes. */
export interface ContainerSettings {
  /** Folders in memory: their sizes by path. */
  readonly tmpfs?: Readonly<Record<string, number>>;
  /** The root cannot be written. A bundle's never can. */
  readonly readOnly?: boolean;
  /** Of /dev/shm. Default 64 MiB. */
  readonly shmBytes?: number;
  /** By the names of getrlimit(2), lower-case: `nofile`. */
  readonly ulimits?: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  /** Capabilities that root does not have, without `CAP_`; `ALL` is all but those of `capAdd`. */
  readonly capDrop?: readonly string[];
  /** Capabilities that root has besides the default ones. */
  readonly capAdd?: readonly string[];
  /** Further groups of its programs: numbers, or names of the image; of the machine where there is none. */
  readonly groupAdd?: readonly string[];
  /** Files and folders of the machine by their path in the instance, as the machine allows them. */
  readonly binds?: Readonly<Record<string, { readonly source: string; readonly readOnly?: true }>>;
  /** Devices of the machine, or folders of them, by their path in the instance. */
  readonly devices?: Readonly<Record<string, string>>;
  /** docker: the first process is the engine's own, which passes signals on and reaps. Host processes always have one. */
  readonly init?: true;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** IPv4 addresses by name, for /etc/hosts. */
  readonly extraHosts?: Readonly<Record<string, string>>;
}

/** Everything that an instance is made from. */
export interface InstanceSpec {
  /** Unique on the machine; `[a-z0-9][a-z0-9.-]{0,159}`. Names the container, or the service folder and the network namespace. */
  readonly id: string;
  /** Kept on the substrate and returned by `list`. Not part of the identity: another operation may adopt what a dead one left. */
  readonly labels: Readonly<Record<string, string>>;
  /** docker: a digest-pinned reference or an image id. process: a digest of `ImageFiles`. */
  readonly image?: string;
  /** process: absolute path of an unpacked folder, mounted read-only at /app (which is also the working folder). */
  readonly bundle?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A user name or `uid[:gid]`. With an image: by its own accounts, default its own; else by the machine's, default `nobody`. */
  readonly user?: string;
  readonly workdir?: string;
  /** IPv4 address within the subnet of the network. */
  readonly address: string;
  readonly dns: { readonly server: string; readonly search: readonly string[] };
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly resources?: {
    readonly cpus?: number;
    readonly memoryBytes?: number;
    /** Processes and threads at once. Default 4096. */
    readonly pids?: number;
  };
  readonly container?: ContainerSettings;
  /** `no` is for jobs: it runs at most once, and keeps its exit code. */
  readonly restart: "always" | "no";
  /** Default: the image's, else SIGTERM. */
  readonly stopSignal?: string;
  /** Default 10,000. */
  readonly stopGraceMs?: number;
}

/** An instance as the substrate shows it. */
export interface InstanceStatus {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: "created" | "running" | "exited" | "absent";
  /** The first process of the instance, as the machine numbers it. */
  readonly pid?: number;
  /** RFC 3339. */
  readonly startedAt?: string;
  /** Of the last life; 128 + n when it was ended by signal n. */
  readonly exitCode?: number;
  /** How often it was restarted since it was last asked to start. */
  readonly restarts?: number;
  readonly address?: string;
  readonly image?: string;
  /** Hash of the spec it was created from (`instanceIdentity`); empty when absent. */
  readonly identity: string;
  readonly oomKilled?: boolean;
}

/** What the machine offers to instances. Sizes are bytes. */
export interface RuntimeFacts {
  readonly kind: Runtime["kind"];
  /** Of the Docker engine; of the kernel for host processes. */
  readonly version: string;
  readonly arch: "amd64" | "arm64";
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  readonly diskFreeBytes: number;
  /** Absent: the file system makes them as it needs them. */
  readonly inodes?: { readonly total: number; readonly free: number };
  readonly cgroups: "v1" | "v2" | "none";
  /** Whether CPU and memory limits are enforced here. */
  readonly limits: boolean;
}

/** One line of an instance's output. */
export interface LogLine {
  /** RFC 3339, UTC, nanoseconds. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  readonly line: string;
}

/** Which part of a log, and whether to follow it. */
export interface LogOptions {
  readonly follow?: boolean;
  /** Only the last so many of the lines that are there; all when absent. */
  readonly tail?: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** Ends the stream, without an error. */
  readonly signal?: AbortSignal;
}

/** How to stop an instance. */
export interface StopOptions {
  /** From the stop signal to SIGKILL. Default: the spec's, else 10,000. */
  readonly graceMs?: number;
  readonly signal?: string;
}

/** Limits and input of a program inside an instance. */
export interface ExecOptions {
  readonly signal?: AbortSignal;
  /** Default 30,000. */
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array;
}

/** Terminal and environment of a program inside an instance. */
export interface AttachOptions {
  /** Runs it on a terminal of this size. */
  readonly terminal?: TerminalSize;
  /** Added to the instance's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program inside an instance, with its streams. */
export interface Attached {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Absent on a terminal, which has one output. */
  readonly stderr?: Readable;
  /** Its process or the parent of its process, as the machine numbers it. */
  readonly pid: number | undefined;
  /** 127: no such program, 126: it cannot be run, 128 + n: ended by signal n. */
  readonly done: Promise<{ readonly exitCode: number }>;
  /** Gives its terminal another size. */
  resize(size: TerminalSize): Promise<void>;
  /** To the program and its descendants, as a terminal does for its foreground processes. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** SIGKILL to the program and its descendants. */
  kill(): Promise<void>;
}

/** Output of a program that ended, whatever its exit code. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An image of the engine. */
export interface Image {
  /** `sha256:…` of the image's configuration. */
  readonly id: string;
  /** `repository@sha256:…`, when the engine knows it. */
  readonly digest?: string;
  readonly sizeBytes: number;
  /** `amd64` or `arm64`. Only from `resolve`. */
  readonly arch?: string;
  /** What its programs run as, as the image says it; absent: root. Only from `resolve`. */
  readonly user?: string;
  /** When one of its names was given to it here, RFC 3339; absent: never. Only from `resolve`. */
  readonly namedAt?: string;
}

/** Progress of one layer. */
export interface PullProgress {
  readonly layer: string;
  readonly status: string;
  readonly bytes?: number;
  readonly totalBytes?: number;
}

/** The engine's images. */
export interface Images {
  /** What `ref` (name, digest or id) is on this machine; `undefined` when it is not here. */
  resolve(ref: string): Promise<Image | undefined>;
  /** Pulls from the image's registry. @throws PloyzError `image_pull_failed`. */
  pull(
    ref: string,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: PullProgress) => void },
  ): Promise<Image>;
  /** Whether the image is here. */
  has(id: string): Promise<boolean>;
  /** A tar stream for `import` of another machine. */
  export(ref: string): Promise<Readable>;
  /** Loads a Docker archive. @throws PloyzError `image_import_failed`. */
  import(stream: Readable, options?: { readonly signal?: AbortSignal }): Promise<{ readonly id: string }>;
  /** Removes one name. The image stays while it has another one, or a container. */
  untag(name: string): Promise<void>;
  /** Removes an image without names. False: a container uses it, or it has a name. */
  remove(id: string): Promise<boolean>;
  /** Idempotent. `name` is `repository:tag`. */
  tag(ref: string, name: string): Promise<void>;
  /** Every image with its names, and with those that have the digest of a pull in place of a tag. */
  list(): Promise<
    readonly (Image & { readonly names: readonly string[]; readonly pulledAs: readonly string[] })[]
  >;
}

/**
 * Workload instances of one machine. Every method may be called again with the same arguments after a failure.
 * Errors are `PloyzError`s; the codes are listed in the README.
 */
export interface Runtime {
  readonly kind: "docker" | "process";
  /** Capacity and version of the machine, as they are now. */
  facts(): Promise<RuntimeFacts>;
  /** Makes or repairs the bridge, its addresses and its packet filter. To be called after a reboot and after the engine restarts. */
  ensureNetwork(network: NetworkSpec): Promise<void>;
  /** How the machine differs from what `ensureNetwork` makes of it, one line each. */
  networkFaults(network: NetworkSpec): Promise<readonly string[]>;
  /** Removes the bridge, its packet filter and its record. Instances must be gone. */
  removeNetwork(network: NetworkSpec): Promise<void>;
  /** Prepares without starting. `instance_conflict` when the id stands for another identity. */
  create(spec: InstanceSpec): Promise<InstanceStatus>;
  /** Nothing happens when it runs already, or when it is a job that has ended. */
  start(id: string): Promise<InstanceStatus>;
  /** Stop signal, then SIGKILL after the grace. Resolves as soon as it is down. A stopped instance stays down over a reboot. */
  stop(id: string, options?: StopOptions): Promise<void>;
  /** Kills and removes without a trace. `keepLogs` leaves the log files of a process instance. */
  remove(id: string, options?: { readonly keepLogs?: boolean }): Promise<void>;
  /** Resolves when the instance is down (a job ended, or it was stopped). */
  wait(id: string, signal: AbortSignal): Promise<{ readonly exitCode: number }>;
  /** State `absent` when there is no such instance. */
  inspect(id: string): Promise<InstanceStatus>;
  /** Instances that carry all these labels, sorted by id. */
  list(labels?: Readonly<Record<string, string>>): Promise<readonly InstanceStatus[]>;
  /** Also of an exited instance. */
  logs(id: string, options?: LogOptions): AsyncIterable<LogLine>;
  /** Runs a program inside, with the instance's user, environment and working folder. */
  exec(id: string, argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Starts a program inside, likewise, with its streams open. */
  attach(id: string, argv: readonly string[], options?: AttachOptions): Promise<Attached>;
  /** CPU time is cumulative since the start; memory is without the page cache that can be dropped. */
  stats(id: string): Promise<{ readonly cpuNanos: number; readonly memoryBytes: number }>;
  /** After a restart of the caller: what still runs, and what should run but does not (start it again). Ids, sorted. */
  adopt(): Promise<{ readonly adopted: readonly string[]; readonly dead: readonly string[] }>;
  readonly images?: Images;
  /** What `user`, or the image's own, is by the image's accounts: the owner for an empty volume. Absent: this runtime has no images. */
  ownerIn?(id: string, image: string, user?: string): Promise<{ readonly uid: number; readonly gid: number }>;
}
