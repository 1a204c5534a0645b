import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, run } from "@ployz/exec";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogLine } from "../runtime.ts";
import { parseCgroups, settings } from "./cgroup.ts";
import { words } from "./execline.ts";
import { parseLine, readLogs } from "./log-files.ts";
import { type EntryKind, type HostFiles, mountsWithin, planRoot } from "./rootfs.ts";
import { parseUser } from "./users.ts";

test("execline gives every argument back byte for byte", async ({ skip }) => {
  const execlineb = await findProgram("execlineb");
  if (execlineb === undefined) skip();
  const argument = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(argument, { minLength: 1, maxLength: 5 }), async (args) => {
      const script = words(["/usr/bin/printf", "%s\\0", ...args]);
      const { stdout } = await run(execlineb ?? "", ["-P", "-c", script]);
      expect(stdout.split("\0").slice(0, -1)).toEqual(args);
    }),
    { numRuns: 60 },
  );
});

const passwd =
  "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

test("users are accounts of the machine or numbers", () => {
  expect(parseUser("nobody", passwd)).toEqual({
    uid: 65534,
    gid: 65534,
    home: "/nonexistent",
    name: "nobody",
  });
  expect(parseUser("1000:50", passwd)).toEqual({ uid: 1000, gid: 50, home: "/" });
  expect(parseUser("0", passwd)).toEqual({ uid: 0, gid: 0, home: "/root" });
  for (const user of ["mallory", "", "root:wheel", "0:0:0", "-1"]) {
    expect(() => parseUser(user, passwd)).toThrow(expect.objectContaining({ code: "user_unknown" }));
  }
});

const host: Readonly<Record<string, EntryKind>> = {
  "/usr": "dir",
  "/usr/bin": "dir",
  "/bin": "link",
  "/etc": "dir",
  "/etc/hosts": "file",
  "/etc/nginx": "dir",
};
const files: HostFiles = {
  kind: async (path) => host[path] ?? "none",
  list: async (dir) =>
    Object.keys(host).flatMap((path) => (path.startsWith(`${dir}/`) ? [path.slice(dir.length + 1)] : [])),
  readLink: async () => "usr/bin",
};
const shown = ["/bin", "/usr", "/etc", "/opt"];

test("a root folder binds what is shown and leaves it whole while its mount points exist", async () => {
  const plan = await planRoot(files, shown, [
    { path: "/etc/hosts", kind: "file" },
    { path: "/app", kind: "dir" },
    { path: "/var/lib/data", kind: "dir" },
  ]);
  expect(plan.binds).toEqual(["/usr", "/etc"]);
  expect(plan.skeleton).toContainEqual({ path: "/bin", kind: "link", target: "usr/bin" });
  expect(plan.skeleton.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["/app", "/var", "/var/lib", "/var/lib/data"]),
  );
});

test("a folder is taken apart where a mount point is missing in it, and only there", async () => {
  const plan = await planRoot(files, shown, [{ path: "/etc/app/app.conf", kind: "file" }]);
  expect(plan.binds).toEqual(["/usr", "/etc/hosts", "/etc/nginx"]);
  expect(plan.skeleton).toContainEqual({ path: "/etc/app/app.conf", kind: "file" });
});

test("nothing is mounted through a link or onto another kind", async () => {
  for (const path of ["/bin/x", "/etc/hosts/x"]) {
    await expect(planRoot(files, shown, [{ path, kind: "dir" }])).rejects.toMatchObject({
      code: "mount_target_invalid",
    });
  }
});

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
  });
  const unified = await parseCgroups(v2, async () => "cpuset cpu io memory pids\n");
  expect(unified).toMatchObject({ version: "v2", mounts: { unified: "/cg/unified" } });
  expect((await parseCgroups("", async () => "")).version).toBe("none");
  expect(settings(true, { cpus: 0.5, memoryBytes: 1024 })).toEqual([
    ["cpu", "cpu.max", "50000 100000"],
    ["memory", "memory.max", "1024"],
    ["memory", "memory.swap.max", "0"],
  ]);
  expect(settings(false, {})).toEqual([["cpu", "cpu.cfs_quota_us", "-1"]]);
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

test("file systems of their own within the shown folders are shown too, the hidden ones are not", () => {
  const mount = (point: string, type = "ext4") =>
    `36 25 8:1 / ${point} rw,relatime shared:1 - ${type} /dev/x rw`;
  const mountinfo = [
    mount("/"),
    mount("/usr/local/share"),
    mount("/usr/local"),
    mount("/usr/local"),
    mount("/opt/my\\040app"),
    mount("/opt/auto", "autofs"),
    mount("/usrlocal"),
    mount("/var/lib"),
    mount("/etc/ployz/secret"),
    mount("/etc/ployz"),
    "",
  ].join("\n");
  expect(mountsWithin(mountinfo, ["/usr", "/opt", "/etc"], ["/etc/ployz"])).toEqual([
    "/usr/local",
    "/opt/my app",
    "/usr/local/share",
  ]);
});
