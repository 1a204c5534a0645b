import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CgroupLayout, openCgroups } from "./cgroup.ts";

/** A folder in place of the unified hierarchy: its files hold the last text written to them. */
let mount: string;
let layout: CgroupLayout;
const text = (...path: string[]) => readFile(join(mount, ...path), "utf8");
const put = (name: string, content: string) => writeFile(join(mount, "ployz", "a", name), content);

beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), "ployz-unified-"));
  layout = { version: "v2", mounts: { unified: mount }, trackers: [mount], all: [mount] };
});
afterEach(() => rm(mount, { recursive: true }));

describe("an instance's groups in the unified hierarchy", () => {
  it("have the limits on the outer one, and controllers down to it alone", async () => {
    const cgroups = await openCgroups("ployz", layout);
    expect(cgroups).toMatchObject({ version: "v2", limits: true });
    const limits = { cpus: 1.5, memoryBytes: 2 ** 20, pids: 9 };
    expect(await cgroups.ensure("a", limits)).toBe("/ployz/a/inside");
    for (const parent of [[], ["ployz"]])
      expect(await text(...parent, "cgroup.subtree_control")).toBe("+memory +cpu +pids");
    const written = ["cpu.max", "memory.max", "memory.swap.max", "pids.max"];
    expect((await readdir(join(mount, "ployz", "a"))).sort()).toEqual(written);
    expect(await Promise.all(written.map((name) => text("ployz", "a", name)))).toEqual([
      ...["150000 100000", "1048576", "0", "9"],
    ]);
  });

  it("without limits have the greatest, and a number of processes", async () => {
    await (await openCgroups("ployz", layout)).ensure("a", {});
    expect(await text("ployz", "a", "cpu.max")).toBe("max 100000");
    expect(await text("ployz", "a", "memory.max")).toBe("max");
    expect(await text("ployz", "a", "pids.max")).toBe("4096");
  });

  it("count processor time in nanoseconds, memory without the cache that can go, and processes killed for want of it", async () => {
    const cgroups = await openCgroups("ployz", layout);
    await cgroups.ensure("a", {});
    expect(await cgroups.stats("a")).toBe(undefined);
    await put("memory.current", "5000\n");
    await put("memory.stat", "anon 900\ninactive_file 1000\nactive_file 7\n");
    await put("cpu.stat", "usage_usec 42\nuser_usec 40\n");
    await put("memory.events", "low 0\noom 3\noom_kill 2\n");
    expect(await cgroups.stats("a")).toEqual({ cpuNanos: 42_000, memoryBytes: 4_000 });
    expect(await cgroups.oomKills("a")).toBe(2);
  });

  it("are gone when they are removed, the inner one first; a supervisor has its own beside them", async () => {
    const cgroups = await openCgroups("ployz", layout);
    await mkdir(join(mount, "ployz", "a", "inside"), { recursive: true });
    await cgroups.remove("a");
    expect((await readdir(join(mount, "ployz"))).includes("a")).toBe(false);
    expect(await cgroups.supervisorProcs()).toEqual([join(mount, "ployz", "supervisors", "cgroup.procs")]);
  });

  it("a hierarchy that cannot be written has no limits, and says so", async () => {
    const nowhere = join(mount, "missing");
    const cgroups = await openCgroups("ployz", { ...layout, mounts: { unified: nowhere } });
    expect(cgroups.limits).toBe(false);
    expect(await cgroups.ensure("a", { pids: 9 })).toBe("/ployz/a/inside");
    expect(await readdir(mount)).toEqual([]);
  });
});
