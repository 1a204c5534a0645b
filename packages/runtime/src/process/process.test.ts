import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { InstanceSpec, LogLine } from "../runtime.ts";
import { seccompProfile } from "../seccomp.ts";
import { parseCgroups, settings } from "./cgroup.ts";
import { parseLine, readLogs } from "./log-files.ts";
import { type HostFiles, machineRoot, mountsWithin, networkFiles } from "./rootfs.ts";
import { type OciInput, ociSpec } from "./spec.ts";
import { instanceUser, parseUser } from "./users.ts";

const passwd =
  "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const group = "adm:x:4:syslog,nobody\nnogroup:x:65534:\n";

test("users are accounts of the machine or numbers", () => {
  expect(parseUser("nobody", passwd, group)).toEqual({
    uid: 65534,
    gid: 65534,
    home: "/nonexistent",
    groups: [4],
  });
  expect(parseUser("1000:50", passwd, group)).toEqual({ uid: 1000, gid: 50, home: "/", groups: [] });
  expect(parseUser("0", passwd, group)).toEqual({ uid: 0, gid: 0, home: "/root", groups: [] });
  for (const user of ["mallory", "", "root:wheel", "0:0:0", "-1"]) {
    expect(() => parseUser(user, passwd, group)).toThrow(expect.objectContaining({ code: "user_unknown" }));
  }
});

test("an instance without volumes has its own unprivileged user, one with files the same on every machine", async () => {
  const spec = { address: "10.101.3.10", mounts: [] };
  const uid = 0x7000_0000 + (101 << 16) + (3 << 8) + 10;
  expect(await instanceUser(spec)).toMatchObject({ uid, gid: uid, own: true });
  expect((await instanceUser({ ...spec, user: "nobody", address: "10.101.3.11" })).uid).toBe(uid + 1);
  expect((await instanceUser({ ...spec, mounts: [{ source: "/a", target: "/a" }] })).uid).toBe(65534);
  const file = { source: "/a", target: "/a", readOnly: true };
  expect((await instanceUser({ ...spec, mounts: [file] })).uid).toBe(uid);
  expect((await instanceUser({ ...spec, user: "1000:50" })).uid).toBe(1000);
});

const texts: Readonly<Record<string, string>> = {
  "/proc/self/mountinfo":
    "36 25 8:1 / /usr/local rw - ext4 /dev/x rw\n37 25 8:1 / /etc/ssl/private rw - ext4 /dev/y rw\n",
  "/etc/passwd": passwd,
  "/etc/group": group,
};
const links: Readonly<Record<string, string>> = {
  "/bin": "/usr/bin",
  "/etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
  "/etc/nsswitch.conf": "/srv/nsswitch.conf",
};
const there = ["/lib64", "/etc/alternatives", "/etc/ssl/certs"];
const files: HostFiles = {
  kind: async (path) => (path in links ? "link" : there.includes(path) ? "dir" : "none"),
  resolve: async (path) => links[path] ?? path,
  list: async () => [
    ...["alternatives", "hostname", "localtime", "nsswitch.conf", "passwd", "shadow", "ssh", "ssl", "ployz"],
    ...["ld.so.preload", "machine-id", "sudoers"],
  ],
  read: async (path) => texts[path] ?? "",
};
const spec: InstanceSpec = {
  id: "prod.web.0",
  labels: {},
  bundle: "/bundles/a",
  command: ["node", "web.js"],
  env: { LONG: "x".repeat(6_000), LD_PRELOAD: "/app/x.so" },
  address: "10.101.3.10",
  dns: { server: "10.101.3.1", search: ["prod.cluster.local"] },
  hostname: "web-0",
  mounts: [
    { source: "/volumes/wal", target: "/data/wal" },
    { source: "/volumes/data", target: "/data" },
  ],
  restart: "always",
};
const nobody = {
  uid: 1_885_667_594,
  gid: 1_885_667_594,
  home: "/nonexistent",
  groups: [],
  own: true,
} as const;

test("the root of an instance has the machine's programs and an /etc of its own", async () => {
  const root = await machineRoot(files, spec, nobody);
  if (root.kind !== "machine") throw new Error("an image");
  expect(root.mounts.map(({ source, destination, options }) => [source, destination, options[1]])).toEqual([
    ["/usr", "/usr", "ro"],
    ["/lib64", "/lib64", "ro"],
    ["/etc/alternatives", "/etc/alternatives", "ro"],
    ["/srv/nsswitch.conf", "/etc/nsswitch.conf", "ro"],
    ["/etc/ssl/certs", "/etc/ssl/certs", "ro"],
    ["/usr/local", "/usr/local", "ro"], // a disk of its own
  ]);
  const made = Object.fromEntries(root.entries.map((entry) => [entry.path, entry]));
  expect(made["/bin"]).toEqual({ path: "/bin", kind: "link", target: "/usr/bin" });
  expect(made["/etc/localtime"]).toMatchObject({ target: "/usr/share/zoneinfo/Etc/UTC" });
  expect(
    Object.keys(made).filter((path) => /shadow|ssh|private|ployz|preload|sudo|machine-id/.test(path)),
  ).toEqual([]);
  expect(made["/etc/passwd"]).toMatchObject({
    text: expect.stringContaining("nobody:x:1885667594:1885667594:nobody:/nonexistent:"),
  });
  expect(made["/etc/group"]).toMatchObject({ text: "adm:x:4:syslog,nobody\nnogroup:x:1885667594:\n" });
  expect(made["/etc/resolv.conf"]).toMatchObject({
    text: "search prod.cluster.local\nnameserver 10.101.3.1\noptions ndots:1 timeout:2\n",
  });
});

const oci = async (fields: Partial<OciInput> = {}) =>
  ociSpec({
    spec,
    user: nobody,
    root: await machineRoot(files, spec, nobody),
    rootfs: "/run/x/rootfs",
    netns: "/run/netns/x",
    cgroup: "/ployz/x/inside",
    arch: "amd64",
    init: "/usr/bin/tini",
    hidden: ["/usr/local/secret"],
    ...{ binds: [], devices: [] },
    ...fields,
  });

test("an instance that is not root has no capability, root has Docker's less three, and no one gains any", async () => {
  const capabilities = async (uid: number) => (await oci({ user: { ...nobody, uid } })).process.capabilities;
  expect(await capabilities(1000)).toEqual({ bounding: [], effective: [], permitted: [] });
  const root = await capabilities(0);
  expect(root.bounding).toContain("CAP_CHOWN");
  for (const kept of ["CAP_NET_RAW", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"])
    expect(Object.values(root).flat()).not.toContain(kept);
  expect((await oci()).process.noNewPrivileges).toBe(true);
});

test("settings of the container are runc's", async () => {
  const container = {
    ...{ tmpfs: { "/var/cache": 4096 }, shmBytes: 8192, ulimits: { nofile: { soft: 1, hard: 2 } } },
    ...{ capDrop: ["CHOWN"], sysctls: { "net.core.somaxconn": "7" }, extraHosts: { db: "10.0.0.5" } },
  };
  const config = await oci({ spec: { ...spec, container }, user: { ...nobody, uid: 0 } });
  expect(config.mounts).toContainEqual(
    expect.objectContaining({
      type: "tmpfs",
      destination: "/var/cache",
      options: expect.arrayContaining(["size=4096"]),
    }),
  );
  expect(config.mounts.find(({ destination }) => destination === "/dev/shm")?.options).toContain("size=8192");
  expect(config.process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }]);
  expect(config.process.capabilities.effective).not.toContain("CAP_CHOWN");
  expect(config.process.capabilities.effective).toContain("CAP_KILL");
  expect(config.linux.sysctl).toMatchObject({ "net.core.somaxconn": "7" });
  expect(networkFiles({ ...spec, container })[0]?.text).toContain("10.0.0.5 db\n");
  const image = { kind: "image" as const, path: "/images/x", entries: [], mounts: [] };
  expect((await oci({ root: image })).root.readonly).toBe(false);
  expect((await oci({ root: image, spec: { ...spec, container: { readOnly: true } } })).root.readonly).toBe(
    true,
  );
  const device = {
    path: "/dev/fuse",
    type: "c" as const,
    major: 10,
    minor: 229,
    fileMode: 0o666,
    uid: 0,
    gid: 0,
  };
  const bound = await oci({
    binds: [{ source: "/run/ployz/binds/x/0", target: "/media", readOnly: true }],
    devices: [device],
  });
  expect(bound.mounts).toContainEqual(
    expect.objectContaining({
      ...{ source: "/run/ployz/binds/x/0", destination: "/media" },
      options: ["rbind", "ro", "nosuid", "nodev"],
    }),
  );
  expect(bound.linux.devices).toEqual([device]);
  expect(bound.linux.resources.devices).toEqual([
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
  ]);
  const one = { ...spec, container: { capDrop: ["ALL"], capAdd: ["CHOWN", "SYS_TIME"] } };
  const added = await oci({ spec: one, user: { ...nobody, uid: 0 } });
  expect(added.process.capabilities.bounding).toEqual(["CAP_CHOWN", "CAP_SYS_TIME"]);
  expect(added.linux.seccomp.syscalls[0]?.names).toContain("clock_settime");
  expect(config.linux.seccomp.syscalls[0]?.names).not.toContain("clock_settime");
  const none = { ...spec, container: { capDrop: ["ALL"] } };
  expect((await oci({ spec: none, user: { ...nobody, uid: 0 } })).process.capabilities.bounding).toEqual([]);
});

test("an instance is confined: namespaces, limits on scratch space, masked paths, read-only root", async () => {
  const config = await oci();
  expect(config.linux.namespaces).toEqual([
    ...["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
    { type: "network", path: "/run/netns/x" },
  ]);
  expect(config.root).toEqual({ path: "/run/x/rootfs", readonly: true });
  expect(config.linux.maskedPaths).toEqual(
    expect.arrayContaining(["/proc/kcore", "/proc/keys", "/usr/local/secret"]),
  );
  const scratch = config.mounts.filter(({ type, destination }) => type === "tmpfs" && destination !== "/dev");
  for (const { options } of scratch)
    expect(options).toEqual(expect.arrayContaining(["nosuid", "nodev", expect.stringMatching(/^size=\d+$/)]));
  const small = await oci({ spec: { ...spec, resources: { memoryBytes: 64 } } });
  expect(small.mounts.find(({ destination }) => destination === "/tmp")?.options).toContain("size=64");
});

test("the environment arrives whole, and acts on the instance's program only", async () => {
  const { process } = await oci();
  expect(process.env).toContain(`LONG=${"x".repeat(6_000)}`);
  expect(process.args).toEqual(["/usr/bin/tini", "--", "node", "web.js"]);
  expect(process.cwd).toBe("/app");
});

test("a folder is mounted before the mounts inside it, after the runtime's own mounts", async () => {
  const { mounts } = await oci();
  expect(
    mounts.slice(-3).map(({ source, destination, options }) => [source, destination, options[1]]),
  ).toEqual([
    ["/bundles/a", "/app", "ro"],
    ["/volumes/data", "/data", "rw"],
    ["/volumes/wal", "/data/wal", "rw"],
  ]);
});

test("an image's root is taken as it is", async () => {
  const config = await oci({ root: { kind: "image", path: "/tank/images/web", entries: [], mounts: [] } });
  expect(config.root).toEqual({ path: "/tank/images/web", readonly: false });
  expect(config.mounts.some(({ destination }) => destination === "/usr")).toBe(false);
});

test.each(["amd64", "arm64"] as const)(
  "the filter for %s lets no one make namespaces, mounts or keys",
  (arch) => {
    const { defaultAction, syscalls } = seccompProfile(arch, []);
    expect(defaultAction).toBe("SCMP_ACT_ERRNO");
    const free = syscalls.filter((rule) => rule.action === "SCMP_ACT_ALLOW" && !("args" in rule));
    const names = free.flatMap((rule) => rule.names);
    expect(names).toEqual(expect.arrayContaining(["execve", "openat", "chroot"]));
    for (const call of [
      "mount",
      "unshare",
      "setns",
      "clone",
      "clone3",
      "keyctl",
      "add_key",
      "bpf",
      "pivot_root",
      "reboot",
    ])
      expect(names).not.toContain(call);
  },
);

test("cgroups: v2 only where it has the memory controller", async () => {
  const v1 = [
    "24 23 0:21 / /cg/memory rw - cgroup cgroup rw,memory",
    "25 23 0:22 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct",
  ];
  const v2 = "26 23 0:23 / /cg/unified rw - cgroup2 cgroup2 rw";
  const hybrid = await parseCgroups([...v1, v2].join("\n"), async () => "");
  expect(hybrid).toEqual({
    version: "v1",
    mounts: { memory: "/cg/memory", cpu: "/cg/cpu", cpuacct: "/cg/cpu" },
    trackers: ["/cg/unified"],
    all: ["/cg/memory", "/cg/cpu", "/cg/unified"],
  });
  const unified = await parseCgroups(v2, async () => "cpuset cpu io memory pids\n");
  expect(unified).toMatchObject({ version: "v2", mounts: { unified: "/cg/unified" } });
  expect((await parseCgroups("", async () => "")).version).toBe("none");
  expect(settings(true, { cpus: 0.5, memoryBytes: 1024, pids: 7 })).toEqual([
    ["pids", "pids.max", "7"],
    ["cpu", "cpu.max", "50000 100000"],
    ["memory", "memory.max", "1024"],
    ["memory", "memory.swap.max", "0"],
  ]);
  expect(settings(false, {})).toEqual([
    ["pids", "pids.max", "4096"],
    ["memory", "memory.use_hierarchy", "1"],
    ["cpu", "cpu.cfs_quota_us", "-1"],
  ]);
});

test("a log line keeps its own white space", () => {
  expect(parseLine("2026-01-31 12:00:00.123456789    indented ", "stdout")).toEqual({
    time: "2026-01-31T12:00:00.123456789Z",
    stream: "stdout",
    line: "  indented ",
  });
  expect(parseLine("no time", "stdout")).toBeUndefined();
});

test("both streams are read in the order of time, over a rotation", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-logs-"));
  const empty = await mkdtemp(join(tmpdir(), "ployz-logs-"));
  const line = (second: number) =>
    `2026-01-31 12:00:${String(second).padStart(2, "0")}.000000000  ${second}\n`;
  try {
    await writeFile(join(dir, "@400000000000000000000001.s"), line(1) + line(2));
    await writeFile(join(dir, "current"), line(3));
    const reader = readLogs({ stdout: dir, stderr: empty }, { follow: true });
    const next = async () => ((await reader.next()).value as LogLine).line;
    expect([await next(), await next(), await next()]).toEqual(["1", "2", "3"]);
    const coming = next();
    await writeFile(join(dir, "current"), line(3) + line(4));
    await rename(join(dir, "current"), join(dir, "@400000000000000000000002.s"));
    await writeFile(join(dir, "current"), line(5));
    expect([await coming, await next()]).toEqual(["4", "5"]);
    await reader.return(undefined);
  } finally {
    for (const path of [dir, empty]) await rm(path, { recursive: true });
  }
});

describe("logs", () => {
  const dirs: string[] = [];
  afterEach(async () => {
    for (const dir of dirs.splice(0)) await rm(dir, { recursive: true });
  });
  const folder = async (files: Readonly<Record<string, string>>) => {
    const dir = await mkdtemp(join(tmpdir(), "ployz-logs-"));
    dirs.push(dir);
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    return dir;
  };
  const at = (second: number, text: string) =>
    `2026-01-31 12:00:${String(second).padStart(2, "0")}.000000000  ${text}`;
  const read = async (stdout: string, stderr: string, tail?: number) => {
    const lines: string[] = [];
    const options = tail === undefined ? {} : { tail };
    for await (const { line } of readLogs({ stdout, stderr }, options)) lines.push(line);
    return lines;
  };

  test("a tail is the same as the end of the whole, for every length, over archives, streams and marks", async () => {
    const stdout = await folder({
      "@400000000000000000000001.s": `${at(1, "a")}\n${at(3, "b")}\n${at(4, "\u0004")}\n`,
      current: `${at(5, "c")}\n${at(7, "unfinished\u0004")}\n`,
    });
    const stderr = await folder({ current: `${at(2, "x")}\n${at(6, "")}\n${at(8, "\u0004")}\n` });
    const whole = ["a", "x", "b", "c", "", "unfinished"];
    expect(await read(stdout, stderr)).toEqual(whole);
    for (let tail = 0; tail <= 8; tail++)
      expect(await read(stdout, stderr, tail)).toEqual(tail === 0 ? [] : whole.slice(-tail));
  });

  test("a line of 150 MB, as an older logger wrote it, is cut, and takes no time in proportion to its square", async () => {
    const stdout = await folder({ current: `${at(1, "y".repeat(150_000_000))}\n${at(2, "last")}\n` });
    const stderr = await folder({});
    const begun = performance.now();
    expect(await read(stdout, stderr, 1)).toEqual(["last"]);
    expect(performance.now() - begun).toBeLessThan(500);
    const [long = "", last] = await read(stdout, stderr, 2);
    expect([long.length > 65_536 && long.length < 66_000, last]).toEqual([true, "last"]);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  test("reading ends with its asker", async () => {
    const stdout = await folder({ current: `${at(1, "one")}\n`.repeat(100_000) });
    const leaving = new AbortController();
    let read = 0;
    for await (const _ of readLogs({ stdout, stderr: await folder({}) }, { signal: leaving.signal }))
      if (++read === 10) leaving.abort();
    expect(read).toBeLessThan(20);
  });
});

test("file systems of their own within the shown folders are shown too", () => {
  const mount = (point: string, type = "ext4") =>
    `36 25 8:1 / ${point} rw,relatime shared:1 - ${type} /dev/x rw`;
  const points = [
    ...["/", "/usr/local/share", "/usr/local", "/usr/local", "/usr/my\\040app", "/usrlocal", "/var/lib"],
  ].map((point) => mount(point));
  expect(mountsWithin([...points, mount("/usr/auto", "autofs"), ""].join("\n"), ["/usr"])).toEqual([
    ...["/usr/local", "/usr/my app", "/usr/local/share"],
  ]);
});
