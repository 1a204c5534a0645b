import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import type { InstanceSpec } from "../runtime.ts";
import type { User } from "./users.ts";

/** A mount of the OCI runtime specification. runc resolves `destination` within the root, whatever links it meets. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/**
 * What an instance has at /. `machine`: an empty folder, into which the machine's programs are mounted read-only. `image`: the files of an
 * image, which bring everything.
 */
export type Root =
  | { readonly kind: "machine"; readonly entries: readonly RootEntry[]; readonly mounts: readonly OciMount[] }
  | {
      readonly kind: "image";
      readonly path: string;
      /** Files of the instance's own, made in the empty folder and mounted over the image's. */
      readonly entries: readonly RootEntry[];
      readonly mounts: readonly OciMount[];
    };

/** Made in the empty folder, parents first. */
export type RootEntry =
  | { readonly path: string; readonly kind: "dir" }
  | { readonly path: string; readonly kind: "file"; readonly text: string }
  | { readonly path: string; readonly kind: "link"; readonly target: string };

/** How the plan looks at the machine's files; a table in tests. */
export interface HostFiles {
  /** `none` for devices and sockets, too. */
  kind(path: string): Promise<"dir" | "file" | "link" | "none">;
  /** Where links lead in the end; `undefined` when that is nothing. */
  resolve(path: string): Promise<string | undefined>;
  list(dir: string): Promise<readonly string[]>;
  read(path: string): Promise<string>;
}

/** Links into /usr on a merged system (usrmerge), folders on others. */
const PROGRAMS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** What of /etc programs need to start, to find each other and to trust certificates: none of it is a secret. */
const ETC =
  /^(alternatives|fonts|java-.+|ld\.so\.(cache|conf|conf\.d)|localtime|mime\.types|nsswitch\.conf|os-release|protocols|services|timezone)$/;
const ETC_SSL = ["/etc/ssl/certs", "/etc/ssl/openssl.cnf"];

/** Mount points are made by runc. */
const FOLDERS = ["/etc", "/etc/ssl", "/root", "/home", "/mnt", "/var", "/var/lib", "/var/log", "/var/cache"];

export async function machineRoot(files: HostFiles, spec: InstanceSpec, user: User): Promise<Root> {
  const etc = (await files.list("/etc")).filter((name) => ETC.test(name)).map((name) => `/etc/${name}`);
  const shown = await Promise.all([...PROGRAMS, ...etc, ...ETC_SSL].map((path) => show(files, path)));
  const mounts = [bind("/usr", "/usr", "ro"), ...shown.flatMap((one) => one.mounts)];
  const within = mountsWithin(
    await files.read("/proc/self/mountinfo"),
    mounts.map(({ destination }) => destination),
  );
  return {
    kind: "machine",
    entries: [
      ...FOLDERS.map((path) => ({ path, kind: "dir" as const })),
      ...shown.flatMap((one) => one.entries),
      { path: "/var/run", kind: "link", target: "/run" },
      ...identityFiles(spec, user, await files.read("/etc/passwd"), await files.read("/etc/group")),
    ],
    mounts: [...mounts, ...within.map((path) => bind(path, path, "ro"))],
  };
}

/** A link into /usr stays one; another one becomes what it leads to. */
async function show(
  files: HostFiles,
  path: string,
): Promise<{ readonly entries: readonly RootEntry[]; readonly mounts: readonly OciMount[] }> {
  const kind = await files.kind(path);
  const target = kind === "none" ? undefined : await files.resolve(path);
  if (target === undefined) return { entries: [], mounts: [] };
  if (kind === "link" && target.startsWith("/usr/"))
    return { entries: [{ path, kind: "link", target }], mounts: [] };
  return { entries: [], mounts: [bind(target, path, "ro")] };
}

/** Names for the instance's own address and resolver: files of /etc. */
export function networkFiles(
  spec: InstanceSpec,
): readonly { readonly name: string; readonly text: string }[] {
  const more = Object.entries(spec.container?.extraHosts ?? {}).map(
    ([name, address]) => `${address} ${name}\n`,
  );
  const search = spec.dns.search.length === 0 ? "" : `search ${spec.dns.search.join(" ")}\n`;
  return [
    { name: "hosts", text: `127.0.0.1 localhost\n${spec.address} ${spec.hostname}\n${more.join("")}` },
    { name: "hostname", text: `${spec.hostname}\n` },
    { name: "resolv.conf", text: `${search}nameserver ${spec.dns.server}\noptions ndots:1 timeout:2\n` },
  ];
}

/** The same, and names for its user. */
function identityFiles(spec: InstanceSpec, user: User, passwd: string, group: string): readonly RootEntry[] {
  const file = (name: string, text: string) => ({ path: `/etc/${name}`, kind: "file" as const, text });
  return [
    file("passwd", user.own ? renumbered(passwd, "nobody", [String(user.uid), String(user.gid)]) : passwd),
    file("group", user.own ? renumbered(group, "nogroup", [String(user.gid)]) : group),
    ...networkFiles(spec).map(({ name, text }) => file(name, text)),
  ];
}

/** passwd(5), group(5): the numbers follow name and password. */
function renumbered(text: string, name: string, ids: readonly string[]): string {
  const renumber = (line: string) => {
    const [first, password, ...rest] = line.split(":");
    return first === name ? [first, password, ...ids, ...rest.slice(ids.length)].join(":") : line;
  };
  return text.split("\n").map(renumber).join("\n");
}

/**
 * File systems mounted within the bound folders, shallow ones first: a bind shows the files under a mount point (mount(8), "bind mount
 * operation"), so a /usr/local on a disk of its own would look empty. Takes the text of proc_pid_mountinfo(5).
 */
export function mountsWithin(mountinfo: string, binds: readonly string[]): readonly string[] {
  const found = mountinfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const point = before.split(" ")[4];
    // Looking at an automount point mounts it.
    if (point === undefined || after.startsWith("autofs ")) return [];
    return [
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    ];
  });
  const depth = (path: string) => path.split("/").length;
  return [...new Set(found)]
    .filter((path) => binds.some((top) => path.startsWith(`${top}/`)))
    .sort((a, b) => depth(a) - depth(b));
}

export const hostFiles: HostFiles = {
  async kind(path) {
    const entry = await lstat(path).catch(ignoreMissing);
    if (entry?.isSymbolicLink()) return "link";
    return entry?.isDirectory() ? "dir" : entry?.isFile() ? "file" : "none";
  },
  resolve: (path) => realpath(path).catch(ignoreMissing),
  list: (dir) => readdir(dir),
  read: (path) => readFile(path, "utf8"),
};

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}

export function bind(source: string, target: string, mode: "ro" | "rw"): OciMount {
  return mount("bind", source, target, "bind", mode, "nosuid", "nodev");
}

export function mount(
  type: string,
  source: string,
  destination: string,
  ...options: readonly string[]
): OciMount {
  return { destination, type, source, options };
}
