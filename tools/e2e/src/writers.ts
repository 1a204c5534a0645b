import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";

/** Default interval of checks on the host. A process that could write lives longer: its start alone takes more time. */
const EVERY_MS = 15;

/** A process of a machine that has not become a ledger by then, by exec, does not become one. */
const EXEC_MS = 20_000;

export interface Watch extends AsyncDisposable {
  /** Every moment at which more than one process had the namespace's volume, with each process's state. */
  end(): Promise<readonly string[]>;
}

/**
 * Watches all machines at once, from the host, for ledgers of a namespace: there must never be two, whatever the machines, daemons or the
 * store report. Two copies of the volume count as one.
 */
export function watchWriters({ lab }: Cluster, namespace: string, everyMs = EVERY_MS): Watch {
  const known = new Map<string, string | undefined>();
  const since = new Map<string, number>();
  const clashes: string[] = [];
  let stopped = false;

  async function look(): Promise<void> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const alive = new Set(pids);
    for (const pid of known.keys())
      if (!alive.has(pid)) {
        known.delete(pid);
        since.delete(pid);
      }
    const fresh = pids.filter((pid) => known.get(pid) !== "other");
    const found = await Promise.all(fresh.map(async (pid) => [pid, await describe(pid)] as const));
    for (const [pid, what] of found) {
      const first = since.get(pid) ?? performance.now();
      since.set(pid, first);
      known.set(pid, what ?? (performance.now() - first > EXEC_MS ? "other" : undefined));
    }
    const writers = found.flatMap(([pid, what]) =>
      what === undefined || what === "other" ? [] : [`${what} (pid ${pid})`],
    );
    if (writers.length > 1) clashes.push(writers.join(" and "));
  }

  /** `other`: never a ledger. `undefined`: may still become one by exec. */
  async function describe(pid: string): Promise<string | undefined> {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const [argv, cgroup] = await Promise.all([read("cmdline"), read("cgroup")]);
    if (!cgroup.includes(`.${lab.name}/`)) return cgroup === "" ? undefined : "other";
    if (!/^[^\0]*\/lib\/node\0--no-warnings\0server\.mjs\0$/.test(argv)) return undefined;
    const dataset = /^\S+ \S+ \S+ \S+ \/data .* (\S*\/volumes\/\S+) \S+$/m.exec(await read("mountinfo"))?.[1];
    const machine = /\/(m\d+)(?:\/|$)/m.exec(cgroup)?.[1];
    return dataset?.includes(`/volumes/${namespace}/`) ? `${dataset} on ${machine}` : undefined;
  }

  const running = (async () => {
    while (!stopped) {
      await look();
      await delay(everyMs);
    }
  })();
  const end = async () => {
    stopped = true;
    await running;
    return clashes;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end()) };
}
