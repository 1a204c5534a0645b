import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { DEFAULT_PIDS } from "../spec.ts";

export interface CgroupLayout {
  readonly version: "v1" | "v2" | "none";
  /** v2: the one hierarchy. v1: mount point of each controller that is there. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Where a supervisor goes, so that stopping the caller's own service does not end it. */
  readonly trackers: readonly string[];
  /** Mount points of all hierarchies: an instance has a group in each. */
  readonly all: readonly string[];
}

/**
 * The group of an instance's processes, below the one that has its limits: they see it as the root of the hierarchy (cgroup_namespaces(7)),
 * and so even root among them cannot reach what holds them.
 */
const LEAF = "inside";
const V1_CONTROLLERS = ["memory", "cpu", "cpuacct", "pids"];

/** From mountinfo, proc_pid_mountinfo(5). v2 counts only where it has the memory controller. */
export async function detectCgroups(): Promise<CgroupLayout> {
  return parseCgroups(await readFile("/proc/self/mountinfo", "utf8"), async (mount) =>
    readFile(join(mount, "cgroup.controllers"), "utf8").catch(() => ""),
  );
}

export async function parseCgroups(
  mountinfo: string,
  controllersOf: (mount: string) => Promise<string>,
): Promise<CgroupLayout> {
  const v1: Record<string, string> = {};
  const trackers: string[] = [];
  const all: string[] = [];
  let v2: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const point = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (point === undefined || !type?.startsWith("cgroup")) continue;
    all.push(point);
    if (type === "cgroup2") {
      trackers.push(point);
      if ((await controllersOf(point)).split(/\s+/).includes("memory")) v2 = point;
    }
    if (type === "cgroup") {
      for (const name of options.split(",")) {
        if (V1_CONTROLLERS.includes(name)) v1[name] ??= point;
        if (name === "name=systemd") trackers.push(point);
      }
    }
  }
  if (v2 !== undefined) return { version: "v2", mounts: { unified: v2 }, trackers, all };
  if (v1.memory !== undefined) return { version: "v1", mounts: v1, trackers, all };
  return { version: "none", mounts: {}, trackers, all };
}

export interface Limits {
  readonly cpus?: number;
  readonly memoryBytes?: number;
  /** Processes and threads. Default 4096. */
  readonly pids?: number;
}

export interface Cgroups {
  readonly version: CgroupLayout["version"];
  /** Whether limits take effect: the controllers are there and may be used. */
  readonly limits: boolean;
  /** `cgroup.procs` files that a supervisor joins. */
  supervisorProcs(): Promise<readonly string[]>;
  /** Makes the groups that limit one instance, and returns the group for its processes, as a path within each hierarchy. */
  ensure(name: string, limits: Limits): Promise<string>;
  remove(name: string): Promise<void>;
  stats(name: string): Promise<{ readonly cpuNanos: number; readonly memoryBytes: number } | undefined>;
  /** How many processes of it the kernel killed for want of memory. */
  oomKills(name: string): Promise<number>;
  /** Removes the parent groups when no instance is left. */
  removeParent(): Promise<void>;
}

/** `found`: default this machine's. */
export async function openCgroups(parent: string, found?: CgroupLayout): Promise<Cgroups> {
  const layout = found ?? (await detectCgroups());
  const limits = await probe(layout, parent);
  const v2 = layout.version === "v2";
  const folder = (controller: string, name: string) => {
    const mount = layout.mounts[v2 ? "unified" : controller];
    return mount === undefined ? undefined : join(mount, parent, name);
  };
  const read = async (controller: string, name: string, file: string): Promise<string | undefined> => {
    const dir = folder(controller, name);
    return dir === undefined ? undefined : readFile(join(dir, file), "utf8").catch(() => undefined);
  };
  return {
    version: layout.version,
    limits,
    async supervisorProcs() {
      const dirs = layout.trackers.map((mount) => join(mount, parent, "supervisors"));
      return makeAll(dirs);
    },
    async ensure(name, wanted) {
      const inside = join("/", parent, name, LEAF);
      if (!limits) return inside;
      await makeAll([...new Set(Object.values(layout.mounts))].map((mount) => join(mount, parent, name)));
      for (const [controller, file, value] of settings(v2, wanted)) {
        const dir = folder(controller, name);
        if (dir !== undefined)
          await writeFile(join(dir, file), value).catch((error: NodeJS.ErrnoException) => {
            // Swap accounting is often off; newer kernels always count hierarchies.
            if (!/swap|memsw|use_hierarchy/.test(file)) throw error;
          });
      }
      return inside;
    },
    async remove(name) {
      for (const group of [join(name, LEAF), name])
        await Promise.all(layout.all.map((mount) => removeGroup(join(mount, parent, group))));
    },
    async removeParent() {
      for (const dir of layout.all.map((mount) => join(mount, parent))) {
        for (const child of await readdir(dir).catch(() => [])) await rmdir(join(dir, child)).catch(() => {});
        await rmdir(dir).catch(() => {});
      }
    },
    async stats(name) {
      const usage = await read("memory", name, v2 ? "memory.current" : "memory.usage_in_bytes");
      const detail = (await read("memory", name, "memory.stat")) ?? "";
      const cpu = v2
        ? field((await read("cpu", name, "cpu.stat")) ?? "", "usage_usec") * 1000
        : Number((await read("cpuacct", name, "cpuacct.usage")) ?? 0);
      if (usage === undefined) return undefined;
      const cache = field(detail, v2 ? "inactive_file" : "total_inactive_file");
      return { cpuNanos: cpu, memoryBytes: Math.max(0, Number(usage) - cache) };
    },
    async oomKills(name) {
      // v1 counts a kill only where the process was.
      const groups = v2 ? [name] : [join(name, LEAF), name];
      const file = v2 ? "memory.events" : "memory.oom_control";
      const texts = await Promise.all(groups.map((group) => read("memory", group, file)));
      return texts.reduce((sum, text) => sum + field(text ?? "", "oom_kill"), 0);
    },
  };
}

/** Controller, file and value of each limit (cgroup-v2.rst; cgroup-v1/memory.rst; sched-bwc.rst). */
export function settings(
  v2: boolean,
  limits: Limits,
): readonly (readonly [controller: string, file: string, value: string])[] {
  const period = 100_000;
  const quota = limits.cpus === undefined ? undefined : Math.max(1_000, Math.round(limits.cpus * period));
  const memory = limits.memoryBytes;
  const list: [string, string, string][] = [["pids", "pids.max", String(limits.pids ?? DEFAULT_PIDS)]];
  if (v2) {
    list.push(
      ["cpu", "cpu.max", `${quota ?? "max"} ${period}`],
      ["memory", "memory.max", String(memory ?? "max")],
    );
    if (memory !== undefined) list.push(["memory", "memory.swap.max", "0"]);
    return list;
  }
  list.push(["memory", "memory.use_hierarchy", "1"], ["cpu", "cpu.cfs_quota_us", String(quota ?? -1)]);
  if (memory !== undefined) {
    list.push(
      ["memory", "memory.limit_in_bytes", String(memory)],
      ["memory", "memory.memsw.limit_in_bytes", String(memory)],
    );
  }
  return list;
}

async function probe(layout: CgroupLayout, parent: string): Promise<boolean> {
  try {
    if (layout.version === "none") return false;
    for (const mount of new Set(Object.values(layout.mounts))) {
      if (layout.version === "v2")
        await writeFile(join(mount, "cgroup.subtree_control"), "+memory +cpu +pids");
      await mkdir(join(mount, parent), { recursive: true });
      if (layout.version === "v2")
        await writeFile(join(mount, parent, "cgroup.subtree_control"), "+memory +cpu +pids");
    }
    return layout.version === "v2" || layout.mounts.cpu !== undefined;
  } catch {
    return false; // read-only or delegated elsewhere: said in facts(), instances then run without limits
  }
}

async function makeAll(dirs: readonly string[]): Promise<readonly string[]> {
  const made: string[] = [];
  for (const dir of dirs) {
    const ok = await mkdir(dir, { recursive: true }).then(
      () => true,
      () => false,
    );
    if (ok) made.push(join(dir, "cgroup.procs"));
  }
  return made;
}

/** A group is busy for a moment after its last process died. */
async function removeGroup(dir: string): Promise<void> {
  await waitFor(
    `cgroup ${dir} to be empty`,
    async () => {
      try {
        await rmdir(dir);
        return true;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === "ENOENT") return true;
        if (code === "EBUSY") return undefined;
        throw error;
      }
    },
    { timeoutMs: 5_000 },
  );
}

function field(text: string, name: string): number {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
