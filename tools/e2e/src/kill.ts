import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { identify, type ProcessIdentity, signalProcess, waitFor } from "@ployz/exec";
import type { Cluster } from "./cluster.ts";
import type { Said, Started } from "./started.ts";

/** Events that stand for an entry of the journal, in its order. */
export const isJournaled = ({ type }: Said): boolean =>
  type === "accepted" || type === "step" || type === "committed";

/** Processes of a machine whose arguments, each with a NUL behind it, match; by host pid, to signal them without entering the machine. */
export async function processesOf(
  { lab }: Cluster,
  machine: number,
  argv: RegExp,
): Promise<readonly ProcessIdentity[]> {
  const init = (await lab.info()).machines[machine - 1]?.init;
  if (init == null) throw new Error(`m${machine} is off`);
  const namespace = await readlink(`/proc/${init}/ns/pid`);
  const found = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        if (!argv.test(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""))) return undefined;
        const inside = await readlink(`/proc/${pid}/ns/pid`).catch(() => "");
        return inside === namespace ? identify(Number(pid)) : undefined;
      }),
  );
  return found.filter((process) => process !== undefined);
}

/** A machine's ployzd, once it runs. */
export const daemonOf = (cluster: Cluster, machine: number): Promise<ProcessIdentity> =>
  waitFor(
    `ployzd on m${machine}`,
    async () => (await processesOf(cluster, machine, /\/ployzd\.mjs\0run\0/))[0],
    { timeoutMs: 20_000, intervalMs: 50 },
  );

/**
 * Kills `daemon` (SIGKILL) at the `k`th journaled event (from 0) of the command, or `afterMs` later. False: the command ended earlier.
 */
export async function killAt(
  running: Started,
  daemon: ProcessIdentity,
  { k, afterMs = 0 }: { readonly k: number; readonly afterMs?: number },
): Promise<boolean> {
  if (!(await atEvent(running, k))) return false;
  if (afterMs > 0) await delay(afterMs);
  await signalProcess(daemon, "SIGKILL");
  return true;
}

/** Resolves at the `k`th journaled event (from 0). False: the command ended before it. */
export async function atEvent(running: Started, k: number): Promise<boolean> {
  let seen = 0;
  // Past events are found as well as coming ones: each is counted once, in order.
  return running
    .event((event) => isJournaled(event) && seen++ === k)
    .then(
      () => true,
      () => false,
    );
}

/** Until a command whose daemon was killed waits for another machine to take over its operation, or has ended. */
export const lostOrDone = (running: Started): Promise<unknown> =>
  running
    .event(({ type, what = "" }) => type === "waiting" && what.startsWith("another machine to take over"))
    .catch(() => running.done);

export async function answers(cluster: Cluster, machine: number): Promise<void> {
  await waitFor(
    `ployzd on m${machine} to answer`,
    async () => {
      const { exitCode } = await cluster.ctl(machine, ["machine", "ls"], {
        ok: Array.from({ length: 256 }, (_, i) => i),
      });
      return exitCode === 0 ? true : undefined;
    },
    { timeoutMs: 30_000, intervalMs: 200 },
  );
}

/** With `once`, a ployzd that dies stays dead: s6-svc(8). */
export async function supervise({ lab }: Cluster, machine: number, how: "once" | "up"): Promise<void> {
  await lab.sh(machine, ["s6-svc", how === "once" ? "-O" : "-u", "/run/ployz/services/ployzd"]);
}
