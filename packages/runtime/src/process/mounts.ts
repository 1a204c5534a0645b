import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PloyzError } from "../error-codes.ts";
import type { InstanceSpec } from "../runtime.ts";
import type { InstancePaths } from "./paths.ts";
import { type HostFiles, mountsWithin, planRoot, type SkeletonEntry } from "./rootfs.ts";
import type { User } from "./users.ts";

/** Folders of the machine that an instance sees, read-only: programs and their configuration, no data. */
export const SHOWN = [
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/usr",
  "/opt",
  "/etc",
  "/nix",
  "/gnu",
];

/** What within them is hidden, also from a root workload: keys and password hashes. */
const SECRET = [
  "/etc/ssh",
  "/etc/ployz",
  "/etc/wireguard",
  "/etc/letsencrypt",
  "/etc/ssl/private",
  "/etc/sudoers.d",
];
const SECRET_FILES = [
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/sudoers",
  "/etc/machine-id",
];
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];
const MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"];
const PROC_READ_ONLY = ["/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/sysrq-trigger"];

export const PUT_OLD = "/.old";
/** Where the instance finds its environment, one file per variable. */
export const ENV_DIR = "/run/ployz-instance";

export const hostFiles: HostFiles = {
  async kind(path) {
    const entry = await lstat(path).catch(ignoreMissing);
    if (entry === undefined) return "none";
    if (entry.isSymbolicLink()) return "link";
    return entry.isDirectory() ? "dir" : entry.isFile() ? "file" : "none";
  },
  list: (dir) => readdir(dir),
  readLink: (path) => readlink(path),
};

export interface RootfsInput {
  readonly spec: InstanceSpec;
  readonly user: User;
  readonly paths: InstancePaths;
  /** More folders to hide, when they lie within a shown one: where Ployz keeps its own data. */
  readonly hidden: readonly string[];
}

export interface Rootfs {
  readonly skeleton: readonly SkeletonEntry[];
  /** fstab(5) for `mount -a -T`, in order. */
  readonly fstab: string;
}

export async function planRootfs(input: RootfsInput): Promise<Rootfs> {
  const { spec, paths, user } = input;
  const resolv = await resolvPoint();
  const given = await Promise.all(
    spec.mounts.map(async (mount) => ({ ...mount, kind: await sourceKind(spec.id, mount.source) })),
  );
  if (spec.bundle !== undefined) {
    given.unshift({
      source: spec.bundle,
      target: "/app",
      readOnly: true,
      kind: await sourceKind(spec.id, spec.bundle),
    });
  }
  given.sort((a, b) => a.target.split("/").length - b.target.split("/").length);
  const dir = (path: string) => ({ path, kind: "dir" as const });
  const underRun = (path: string) => path === "/run" || path.startsWith("/run/");
  const points = [
    ...[
      "/proc",
      "/sys",
      "/dev",
      "/dev/pts",
      "/dev/shm",
      "/run",
      "/tmp",
      "/root",
      "/home",
      "/var/tmp",
      "/var/lib",
    ].map(dir),
    ...["/var/log", "/var/cache", PUT_OLD].map(dir),
    ...DEVICES.map((name) => ({ path: `/dev/${name}`, kind: "file" as const })),
    ...(underRun(resolv) ? [] : [{ path: resolv, kind: "file" as const }]),
    { path: "/etc/hosts", kind: "file" as const },
    // A tmpfs covers /run: mount points below it are made by mount(8), when it is there.
    ...given.filter(({ target }) => !underRun(target)).map(({ target, kind }) => ({ path: target, kind })),
  ];
  const plan = await planRoot(hostFiles, SHOWN, points);
  const at = (path: string) => join(paths.rootfs, path);
  const bind = (source: string, target: string, options: string) =>
    entry(source, at(target), "none", `bind,${options}`);
  const tmpfs = (target: string, options: string) =>
    entry("tmpfs", at(target), "tmpfs", `nosuid,nodev,${options}`);
  const ro = "ro,nosuid,nodev";
  const hide = [...SECRET, ...input.hidden].filter((path) => SHOWN.some((top) => path.startsWith(`${top}/`)));
  const mounted = mountsWithin(await readFile("/proc/self/mountinfo", "utf8"), plan.binds, hide);
  const lines = [
    // One that a later mount has covered is not there to be bound.
    ...[...plan.binds, ...(await present(mounted, "any"))].map((path) => bind(path, path, ro)),
    ...(await present(hide, "dir")).map((path) => tmpfs(path, "ro,mode=0555,size=4k")),
    ...(await present(SECRET_FILES, "file")).map((path) => bind("/dev/null", path, "ro,nosuid")),
    entry("proc", at("/proc"), "proc", "nosuid,nodev,noexec"),
    ...(await present(PROC_READ_ONLY, "any")).map((path) => entry(at(path), at(path), "none", "bind,ro")),
    ...(await present(MASKED, "any")).map((path) => bind("/dev/null", path, "ro,nosuid")),
    entry("sysfs", at("/sys"), "sysfs", "ro,nosuid,nodev,noexec"),
    ...DEVICES.map((name) => bind(`/dev/${name}`, `/dev/${name}`, "nosuid")),
    entry("devpts", at("/dev/pts"), "devpts", "newinstance,ptmxmode=0666,mode=0620,nosuid,noexec"),
    tmpfs("/dev/shm", "mode=1777,size=64m"),
    tmpfs("/run", `mode=0755,uid=${user.uid},gid=${user.gid},size=64m`),
    tmpfs("/tmp", "mode=1777"),
    tmpfs("/var/tmp", "mode=1777"),
    bind(join(paths.run, "env"), ENV_DIR, `${ro},X-mount.mkdir`),
    underRun(resolv)
      ? bind(join(paths.run, "resolv"), dirname(resolv), `${ro},X-mount.mkdir`)
      : bind(join(paths.run, "resolv", "resolv.conf"), resolv, ro),
    bind(join(paths.run, "hosts"), "/etc/hosts", ro),
    ...given.map(({ source, target, readOnly, kind }) =>
      bind(
        source,
        target,
        `${readOnly === true ? "ro" : "rw"},nosuid,nodev${underRun(target) && kind === "dir" ? ",X-mount.mkdir" : ""}`,
      ),
    ),
  ];
  const links: SkeletonEntry[] = [
    { path: "/dev/fd", kind: "link", target: "/proc/self/fd" },
    { path: "/dev/stdin", kind: "link", target: "/proc/self/fd/0" },
    { path: "/dev/stdout", kind: "link", target: "/proc/self/fd/1" },
    { path: "/dev/stderr", kind: "link", target: "/proc/self/fd/2" },
    { path: "/dev/ptmx", kind: "link", target: "pts/ptmx" },
    { path: "/var/run", kind: "link", target: "/run" },
  ];
  return { skeleton: [...plan.skeleton, ...links], fstab: `${lines.join("\n")}\n` };
}

/** Names the file under which the instance's programs look for their resolver, through the machine's symbolic link. */
export async function resolvPoint(): Promise<string> {
  const path = "/etc/resolv.conf";
  if ((await hostFiles.kind(path)) !== "link") return path;
  return realpath(path).catch(async () => join(dirname(path), await readlink(path)));
}

/** fstab(5) writes white space and backslashes in octal. */
function entry(source: string, target: string, type: string, options: string): string {
  const octal = (text: string) =>
    text.replace(/[\s\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return `${octal(source)} ${octal(target)} ${type} ${options} 0 0`;
}

async function present(paths: readonly string[], kind: "dir" | "file" | "any"): Promise<readonly string[]> {
  const kinds = await Promise.all(paths.map((path) => hostFiles.kind(path)));
  return paths.filter((_, index) => kinds[index] !== "none" && (kind === "any" || kinds[index] === kind));
}

async function sourceKind(id: string, source: string): Promise<"dir" | "file"> {
  const kind = await hostFiles.kind(await realpath(source).catch(() => source));
  if (kind === "dir" || kind === "file") return kind;
  throw new PloyzError({
    code: "mount_source_missing",
    message: `instance ${id}: ${source} is not on this machine`,
    hint: "create it before the instance",
    details: { path: source },
  });
}

function ignoreMissing(error: unknown): undefined {
  if (
    (error as NodeJS.ErrnoException).code === "ENOENT" ||
    (error as NodeJS.ErrnoException).code === "ENOTDIR"
  )
    return undefined;
  throw error;
}
