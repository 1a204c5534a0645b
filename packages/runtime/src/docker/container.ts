import type { ContainerCreateOptions, ContainerInspectInfo, HostConfig } from "dockerode";
import type { ContainerSettings, InstanceSpec, InstanceStatus, Mount } from "../runtime.ts";
import { seccompProfile } from "../seccomp.ts";
import { DEFAULT_PIDS, instanceIdentity } from "../spec.ts";

export interface ContainerDefaults {
  /** The engine's id of the image. */
  readonly image: string;
  readonly labelPrefix: string;
  /** Name of the engine's network, which is that of its bridge. */
  readonly network: string;
  /** Paths of the machine that it has. */
  readonly binds?: readonly Mount[];
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
  readonly arch: "amd64" | "arm64";
}

/** Of Docker's default capabilities, those that an instance has only if it asks for them. */
const WITHOUT = ["NET_RAW", "MKNOD", "AUDIT_WRITE"];

/** The request to the engine (Engine API 1.41, ContainerCreate). */
export function containerOptions(spec: InstanceSpec, defaults: ContainerDefaults): ContainerCreateOptions {
  const { cpus, memoryBytes, pids } = spec.resources ?? {};
  const { capDrop = [], capAdd = [], ...container } = spec.container ?? {};
  const calls = seccompProfile(
    defaults.arch,
    capAdd.map((name) => `CAP_${name}`),
  );
  return {
    name: spec.id,
    Image: defaults.image,
    Hostname: spec.hostname,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: containerLabels(spec, defaults.labelPrefix),
    ...(spec.entrypoint !== undefined && { Entrypoint: [...spec.entrypoint] }),
    ...(spec.command !== undefined && { Cmd: [...spec.command] }),
    ...(spec.user !== undefined && { User: spec.user }),
    ...(spec.workdir !== undefined && { WorkingDir: spec.workdir }),
    ...(spec.stopSignal !== undefined && { StopSignal: spec.stopSignal }),
    StopTimeout: Math.ceil((spec.stopGraceMs ?? 10_000) / 1000),
    HostConfig: {
      NetworkMode: defaults.network,
      // unless-stopped: back after a reboot or a crash of the engine, but not when it was stopped on purpose.
      RestartPolicy: spec.restart === "always" ? { Name: "unless-stopped" } : { Name: "no" },
      Dns: [spec.dns.server],
      DnsSearch: [...spec.dns.search],
      DnsOptions: ["ndots:1", "timeout:2"],
      LogConfig: {
        Type: "json-file",
        Config: { "max-size": String(defaults.log.maxBytes), "max-file": String(defaults.log.maxFiles) },
      },
      Mounts: [...spec.mounts, ...(defaults.binds ?? [])].map(({ source, target, readOnly }) => ({
        Type: "bind" as const,
        Source: source,
        Target: target,
        ReadOnly: readOnly === true,
      })),
      ...(cpus !== undefined && { NanoCpus: Math.round(cpus * 1e9) }),
      ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
      PidsLimit: pids ?? DEFAULT_PIDS,
      CapDrop: [...WITHOUT.filter((name) => !capAdd.includes(name)), ...capDrop],
      ...(capAdd.length > 0 && { CapAdd: [...capAdd] }),
      ...hostConfig(container),
      // An engine of an earlier version allows more: io_uring, and sockets to the hypervisor.
      SecurityOpt: ["no-new-privileges", `seccomp=${JSON.stringify(calls)}`],
    },
    NetworkingConfig: {
      EndpointsConfig: { [defaults.network]: { IPAMConfig: { IPv4Address: spec.address } } },
    },
  };
}

function hostConfig(container: Omit<ContainerSettings, "capDrop" | "capAdd" | "binds">): Partial<HostConfig> {
  const { tmpfs, readOnly, shmBytes, ulimits, groupAdd, init, devices, sysctls, extraHosts } = container;
  const pairs = <T, U>(table: Readonly<Record<string, T>>, convert: (name: string, value: T) => U) =>
    Object.entries(table).map(([name, value]) => convert(name, value));
  return {
    ...(tmpfs && { Tmpfs: Object.fromEntries(pairs(tmpfs, (path, size) => [path, `size=${size}`])) }),
    ...(readOnly && { ReadonlyRootfs: true }),
    ...(groupAdd && { GroupAdd: [...groupAdd] }),
    ...(init && { Init: true }),
    ...(devices && {
      Devices: pairs(devices, (inside, path) => ({
        PathOnHost: path,
        PathInContainer: inside,
        CgroupPermissions: "rw",
      })),
    }),
    ...(shmBytes !== undefined && { ShmSize: shmBytes }),
    ...(ulimits && {
      Ulimits: pairs(ulimits, (name, { soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    }),
    ...(sysctls && { Sysctls: { ...sysctls } }),
    ...(extraHosts && { ExtraHosts: pairs(extraHosts, (name, address) => `${name}:${address}`) }),
  };
}

/** The operator's labels under the prefix; what the runtime itself needs under `<prefix>runtime.`. */
function containerLabels(spec: InstanceSpec, prefix: string): Record<string, string> {
  const labels = Object.entries(spec.labels).map(([key, value]) => [`${prefix}${key}`, value] as const);
  return {
    ...Object.fromEntries(labels),
    [identityLabel(prefix)]: instanceIdentity(spec),
    [`${prefix}runtime.address`]: spec.address,
    ...(spec.container !== undefined && { [settingsLabel(prefix)]: JSON.stringify(spec.container) }),
  };
}

const settingsLabel = (prefix: string): string => `${prefix}runtime.settings`;

/** The settings that a container was made with. */
export const settingsOf = (
  labels: Readonly<Record<string, string>> | undefined,
  prefix: string,
): ContainerSettings => JSON.parse(labels?.[settingsLabel(prefix)] ?? "{}") as ContainerSettings;

export function identityLabel(prefix: string): string {
  return `${prefix}runtime.identity`;
}

export function specLabels(all: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  const own = Object.entries(all).filter(
    ([key]) => key.startsWith(prefix) && !key.startsWith(`${prefix}runtime.`),
  );
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** How a container's life ended. */
export interface LastEnd {
  readonly exitCode?: number;
  /** One of its lives ended for want of memory. */
  readonly oomKilled?: boolean;
}

/** `last`: the life before this one, which the engine forgets at a restart. */
export function statusFrom(info: ContainerInspectInfo, prefix: string, last: LastEnd = {}): InstanceStatus {
  const { State: state, Config: config } = info;
  const labels = config.Labels ?? {};
  const running = state.Running || state.Restarting || state.Paused;
  const begun = !state.StartedAt.startsWith("0001-");
  const ended = !state.FinishedAt.startsWith("0001-");
  const exitCode = state.Running && !state.Restarting ? last.exitCode : ended ? state.ExitCode : undefined;
  const address = labels[`${prefix}runtime.address`];
  return {
    id: info.Name.replace(/^\//, ""),
    labels: specLabels(labels, prefix),
    state: running ? "running" : begun ? "exited" : "created",
    ...(state.Pid > 0 && { pid: state.Pid, startedAt: state.StartedAt }),
    ...(exitCode !== undefined && { exitCode }),
    restarts: info.RestartCount,
    ...(address !== undefined && { address }),
    image: info.Image,
    identity: labels[identityLabel(prefix)] ?? "",
    ...((state.OOMKilled || last.oomKilled === true) && { oomKilled: true }),
  };
}
