/**
 * What a service needs of the machine; the supervisor takes away the rest, from its next start on: a changed confinement restarts nothing.
 * systemd enforces all of it, s6 the capabilities and that no program gives new rights.
 */
export interface Confinement {
  /** Capabilities that stay, in lower case without `cap_`: capabilities(7). */
  readonly capabilities: readonly string[];
  /** Absolute folders that it may write, made where they are missing; all others are read-only, and home folders are empty. */
  readonly writes: readonly string[];
  /** Of its sockets: address_families(7). */
  readonly families: readonly ("AF_UNIX" | "AF_INET" | "AF_INET6" | "AF_NETLINK")[];
  /** Kinds of namespaces(7) that it makes; default none. */
  readonly namespaces?: readonly ("user" | "net")[];
  /** Beyond the standard ones, such as `/dev/net/tun`. */
  readonly devices?: readonly string[];
  /** It makes machine code while it runs, as Node and other interpreters do. */
  readonly compiles?: boolean;
  /** It looks at processes other than its own. */
  readonly seesProcesses?: boolean;
  /** It starts services, which under s6 could inherit what it lacks: s6 leaves it alone. */
  readonly startsServices?: boolean;
}

/** A program that tells systemd by sd_notify(3) when it is ready. */
export interface Notifies {
  /** It also tells that it lives, four times in this time; one that does not is killed and started again. */
  readonly watchdogMs?: number;
  /** The command line with which it does so, where its usual one must not change: it counts from the next start, as a confinement does. */
  readonly argv?: readonly string[];
}

/** A long-lived program that outlives whoever started it. */
export interface ServiceSpec {
  /** [a-z0-9-], unique on the machine, e.g. `ployz-nats`. */
  readonly name: string;
  readonly description: string;
  /** The program must stay in the foreground. */
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** A user name; default root. */
  readonly user?: string;
  readonly cwd?: string;
  /** Absent: everything of its user. */
  readonly confined?: Confinement;
  /** Honoured by systemd. */
  readonly notifies?: Notifies;
  /** `always`: started again when it ends, with at least a second between starts. */
  readonly restart: "always" | "never";
  /** Default SIGTERM. */
  readonly stopSignal?: "SIGTERM" | "SIGINT" | "SIGUSR1" | "SIGUSR2" | "SIGQUIT" | "SIGHUP";
  /** Milliseconds until SIGKILL; default 10,000. */
  readonly stopTimeoutMs?: number;
  /** Stop ends only the main process; its children keep running (for a daemon whose workloads outlive it). */
  readonly killMainOnly?: boolean;
  /** Started when the machine boots. Honoured by systemd; with s6 the caller starts its services again at boot. */
  readonly startAtBoot?: boolean;
  /** Other services that start before this one, for example at boot; a missing one is ignored. Honoured by systemd. */
  readonly after?: readonly string[];
}

/** `absent`: not defined here. `pid`: of the main process, while it runs. */
export interface ServiceStatus {
  readonly state: "running" | "stopped" | "absent";
  readonly pid?: number;
}

/** A signal that both supervisors can send. */
export type ServiceSignal = "SIGHUP" | "SIGINT" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2" | "SIGTERM" | "SIGKILL";

/** The machine's process supervisor. Every method may be called twice. */
export interface ServiceHost {
  readonly kind: "systemd" | "s6";
  /** Runs the service as specified; `replaced` when it ran with another specification and was restarted. */
  ensure(spec: ServiceSpec): Promise<"started" | "unchanged" | "replaced">;
  /** Resolves when the process has ended. Keeps the definition. */
  stop(name: string): Promise<void>;
  /** Stops and starts it with the same definition. Resolves when it runs again. */
  restart(name: string): Promise<void>;
  /** Stops the service and deletes its definition. */
  remove(name: string): Promise<void>;
  /** Sends a signal to the main process. */
  signal(name: string, signal: ServiceSignal): Promise<void>;
  /** Whether it runs, and as which process. */
  status(name: string): Promise<ServiceStatus>;
  /** Names of the services defined on this host, running or not. */
  list(): Promise<readonly string[]>;
}
