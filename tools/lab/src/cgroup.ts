import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { identify, type ProcessIdentity, waitFor } from "@ployz/exec";

/**
 * Finds a machine's processes by its cgroup: they can leave its pid namespace (a container has its own), but not its cgroup.
 */

/** Mount points of all cgroup hierarchies, v1 and v2. */
async function hierarchies(): Promise<readonly string[]> {
  const mounts = await readFile("/proc/mounts", "utf8");
  return mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, at, type]) => (type === "cgroup" || type === "cgroup2") && at?.startsWith("/sys/fs/cgroup"))
    .map(([, at]) => at as string);
}

/**
 * The cgroup that is an init's root in every hierarchy (cgroups(7)): processes that enter the machine join it. systemd puts itself one level deeper, and systemd-nspawn puts a level above it.
 */
export async function homeCgroups(init: number): Promise<readonly string[]> {
  const mounts = await hierarchies();
  const lines = (await readFile(`/proc/${init}/cgroup`, "utf8")).trim().split("\n");
  return lines.flatMap((line) => {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const wanted = controllers === "" ? /\/(unified|cgroup)$/ : undefined;
    const name = controllers.replace("name=", "");
    const mount = mounts.find((at) => wanted?.test(at) ?? at.endsWith(`/${name}`));
    return mount === undefined ? [] : [join(mount, path.replace(/\/init\.scope$/, ""))];
  });
}

/** Folders of a cgroup in every hierarchy that has it. */
export async function cgroupDirs(cgroup: string): Promise<readonly string[]> {
  return (await hierarchies()).map((at) => join(at, cgroup));
}

async function below(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(gone);
  const nested = await Promise.all(
    (entries ?? []).filter((entry) => entry.isDirectory()).map((entry) => below(join(dir, entry.name))),
  );
  return [...nested.flat(), dir];
}

/** Every live process (zombies left out) of a cgroup and of the cgroups below it. */
export async function processesIn(cgroup: string): Promise<readonly ProcessIdentity[]> {
  const pids = new Set<number>();
  for (const top of await cgroupDirs(cgroup)) {
    for (const dir of await below(top)) {
      const text = await readFile(join(dir, "cgroup.procs"), "utf8").catch(gone);
      for (const line of (text ?? "").split("\n")) if (line !== "" && line !== "0") pids.add(Number(line));
    }
  }
  const found = await Promise.all([...pids].map((pid) => identify(pid)));
  return found.filter((process) => process !== undefined);
}

/** The machine's init: pid 1 exactly one pid namespace below ours (a container's is deeper). */
export async function findInit(cgroup: string): Promise<ProcessIdentity | undefined> {
  for (const candidate of await processesIn(cgroup)) {
    const status = await readFile(`/proc/${candidate.pid}/status`, "utf8").catch(gone);
    const levels = /^NSpid:\s*(.*)$/m.exec(status ?? "")?.[1]?.split(/\s+/) ?? [];
    if (levels.length === 2 && levels[1] === "1") return candidate;
  }
  return undefined;
}

/** Kills all processes in the cgroup, waits until they have exited, and removes the cgroup from every hierarchy. */
export async function removeCgroup(cgroup: string): Promise<void> {
  await killAll(cgroup);
  for (const top of await cgroupDirs(cgroup)) {
    await waitFor(
      `cgroup ${top} to be removable`,
      async () => {
        try {
          for (const dir of await below(top)) await rmdir(dir);
          return true;
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code;
          if (code === "ENOENT") return true;
          if (code === "EBUSY" || code === "ENOTEMPTY") return undefined;
          throw error;
        }
      },
      { timeoutMs: 10_000, intervalMs: 20 },
    );
  }
}

/** Sends SIGKILL until no process is left: the next round finds processes forked meanwhile. */
export async function killAll(cgroup: string): Promise<void> {
  await waitFor(
    `the processes of ${cgroup} to exit`,
    async () => {
      const left = await processesIn(cgroup);
      for (const { pid } of left) signal(pid, "SIGKILL");
      return left.length === 0 ? true : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 10 },
  );
}

/** Sends a signal to every process, again until no new one appears, so that a fork in between escapes nothing. */
export async function signalAll(cgroup: string, name: NodeJS.Signals): Promise<number> {
  const done = new Set<string>();
  for (;;) {
    const fresh = (await processesIn(cgroup)).filter(
      ({ pid, startTime }) => !done.has(`${pid}.${startTime}`),
    );
    if (fresh.length === 0) return done.size;
    for (const { pid, startTime } of fresh) {
      signal(pid, name);
      done.add(`${pid}.${startTime}`);
    }
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function gone(error: unknown): undefined {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ESRCH" || code === "ENODEV") return undefined;
  throw error;
}
