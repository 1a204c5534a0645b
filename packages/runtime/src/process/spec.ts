import type { Device } from "../devices.ts";
import type { InstanceSpec, Mount } from "../runtime.ts";
import { seccompProfile } from "../seccomp.ts";
import { bind, mount, type OciMount, type Root } from "./rootfs.ts";
import type { User } from "./users.ts";

/** Docker's default set without MKNOD, NET_RAW and AUDIT_WRITE. A user other than root has no capability at all. */
const CAPABILITIES = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"],
  ...["CAP_SETPCAP", "CAP_SETFCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"],
];
const MASKED = [
  ...["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"],
  ...["/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware"],
  "/sys/devices/virtual/powercap",
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
const NAMESPACES = ["pid", "ipc", "uts", "mount", "cgroup"];
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MIB = 1024 * 1024;

export interface OciInput {
  readonly spec: InstanceSpec;
  readonly user: User;
  readonly root: Root;
  /** Where the machine has what becomes the root. */
  readonly rootfs: string;
  readonly netns: string;
  /** The group of the instance's processes, below the one that holds its limits. */
  readonly cgroup: string;
  readonly arch: "amd64" | "arm64";
  /** Program inside that is the first process: passes signals on and reaps. */
  readonly init: string;
  /** Folders that no instance may see. */
  readonly hidden: readonly string[];
  /** Paths of the machine that it has. */
  readonly binds: readonly Mount[];
  readonly devices: readonly Device[];
}

/** `config.json` of a bundle: OCI runtime specification 1.0.2. */
export function ociSpec(input: OciInput) {
  const { spec, user, root } = input;
  const { capDrop = [], capAdd = [], ulimits = {}, readOnly = false, sysctls } = spec.container ?? {};
  const capabilities = user.uid === 0 ? capabilitiesOf(capDrop, capAdd) : [];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: user.uid, gid: user.gid, umask: 0o022, additionalGids: user.groups },
      args: [input.init, "--", ...(spec.entrypoint ?? []), ...(spec.command ?? [])],
      env: Object.entries(environment(spec, user)).map(([name, value]) => `${name}=${value}`),
      cwd: spec.workdir ?? (spec.bundle === undefined ? "/" : "/app"),
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: true,
      rlimits: Object.entries(ulimits).map(([name, { soft, hard }]) => ({
        type: `RLIMIT_${name.toUpperCase()}`,
        ...{ soft, hard },
      })),
    },
    root: {
      path: root.kind === "image" ? root.path : input.rootfs,
      readonly: root.kind === "machine" || readOnly,
    },
    hostname: spec.hostname,
    mounts: [...mountsOf(root, ownMounts(spec, root, user)), ...given(spec, input.binds)],
    linux: {
      namespaces: [...NAMESPACES.map((type) => ({ type })), { type: "network", path: input.netns }],
      cgroupsPath: input.cgroup,
      devices: input.devices,
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          ...input.devices.map(({ type, major, minor }) => ({
            ...{ allow: true, type, major, minor, access: "rw" },
          })),
        ],
      },
      sysctl: {
        ...{ "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" },
        ...sysctls,
      },
      seccomp: seccompProfile(input.arch, capabilities),
      maskedPaths: [...MASKED, ...input.hidden],
      readonlyPaths: READ_ONLY,
    },
  };
}

function capabilitiesOf(dropped: readonly string[], added: readonly string[]): readonly string[] {
  const kept = dropped.includes("ALL")
    ? []
    : CAPABILITIES.filter((name) => !dropped.includes(name.slice("CAP_".length)));
  return [...new Set([...kept, ...added.map((name) => `CAP_${name}`)])];
}

/** HOME and PATH have defaults, as in a container; the spec overrides them. */
function environment(spec: InstanceSpec, user: User): Readonly<Record<string, string>> {
  return { PATH: DEFAULT_PATH, HOME: user.home, HOSTNAME: spec.hostname, ...spec.env };
}

const tmpfs = (destination: string, ...options: readonly string[]) =>
  mount("tmpfs", "tmpfs", destination, "nosuid", "nodev", ...options);

/** An image's root is there already, and only its /dev is filled. */
const mountsOf = (root: Root, own: readonly OciMount[]): readonly OciMount[] =>
  root.kind === "machine" ? [...root.mounts, ...own] : [...own, ...root.mounts];

function ownMounts(spec: InstanceSpec, root: Root, user: User): readonly OciMount[] {
  const scratch = spec.resources?.memoryBytes ?? 1024 * MIB;
  return [
    mount("proc", "proc", "/proc", "nosuid", "nodev", "noexec"),
    mount("sysfs", "sysfs", "/sys", "ro", "nosuid", "nodev", "noexec"),
    mount("tmpfs", "tmpfs", "/dev", "nosuid", "strictatime", "mode=0755", "size=64k"),
    mount("devpts", "devpts", "/dev/pts", "newinstance", "ptmxmode=0666", "mode=0620", "nosuid", "noexec"),
    mount("mqueue", "mqueue", "/dev/mqueue", "nosuid", "nodev", "noexec"),
    tmpfs("/dev/shm", "noexec", "mode=1777", `size=${spec.container?.shmBytes ?? 64 * MIB}`),
    ...(root.kind === "image" ? [] : inMemory(user, scratch)),
  ];
}

/** What an image has of its own. */
function inMemory(user: User, scratch: number): readonly OciMount[] {
  return [
    tmpfs("/run", "mode=0755", `uid=${user.uid}`, `gid=${user.gid}`, `size=${64 * MIB}`),
    tmpfs("/tmp", "mode=1777", `size=${scratch}`),
    tmpfs("/var/tmp", "mode=1777", `size=${scratch}`),
  ];
}

/** The spec's mounts; a folder before the mounts inside it. */
function given(spec: InstanceSpec, binds: readonly Mount[]): readonly OciMount[] {
  const bundle = spec.bundle === undefined ? [] : [{ source: spec.bundle, target: "/app", readOnly: true }];
  return [
    ...[...bundle, ...spec.mounts].map(({ source, target, readOnly }) =>
      bind(source, target, readOnly === true ? "ro" : "rw"),
    ),
    ...binds.map(({ source, target, readOnly }) =>
      mount("bind", source, target, "rbind", readOnly ? "ro" : "rw", "nosuid", "nodev"),
    ),
    ...Object.entries(spec.container?.tmpfs ?? {}).map(([path, size]) =>
      tmpfs(path, "noexec", "mode=1777", `size=${size}`),
    ),
  ].sort((a, b) => a.destination.split("/").length - b.destination.split("/").length);
}
