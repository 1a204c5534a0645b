import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type RunningProgram, spawnStream } from "@ployz/exec";
import { quantile } from "../curve.ts";
import type { Assignment, Told } from "./protocol.ts";

type Usage = Extract<Told, { type: "usage" }>;

/** The processes of agents, and what they tell. */
export interface Fleet {
  /** Resolves with the time at which the last agent had everything. */
  synced(): Promise<number>;
  /** The times at which this many agents had, or served, this commit or a later one. */
  reached(
    what: "daemon" | "gateway" | "dns",
    commit: { readonly namespace: string; readonly revision: number },
    timeoutMs: number,
  ): Promise<readonly number[]>;
  usage(): Promise<readonly Usage[]>;
  close(): Promise<void>;
}

/** More agents than this share a process only on purpose: figures for a machine are of a process divided by them. */
export const AGENTS_PER_PROCESS = 50;

export async function startFleet(worker: string, assignment: Assignment): Promise<Fleet> {
  const { agents, dir } = assignment;
  const listeners = new Set<(told: Told) => void>();
  /** Times by `what namespace revision`. */
  const times = new Map<string, Map<string, { readonly revision: number; readonly at: number }[]>>();
  const synced = new Map<string, number>();
  const hear = (told: Told) => {
    if (told.type === "synced") synced.set(told.machine, told.at);
    if (told.type === "applied") {
      const key = `${told.what} ${told.namespace}`;
      const by = times.get(key) ?? new Map<string, { revision: number; at: number }[]>();
      times.set(key, by);
      by.set(told.machine, [...(by.get(told.machine) ?? []), told]);
    }
    for (const listener of [...listeners]) listener(told);
  };
  const programs: RunningProgram[] = [];
  let failed: unknown;
  for (let from = 0; from < agents.length; from += AGENTS_PER_PROCESS) {
    const file = join(dir, `agents-${from}.json`);
    const own: Assignment = { ...assignment, agents: agents.slice(from, from + AGENTS_PER_PROCESS) };
    await writeFile(file, JSON.stringify(own), { mode: 0o600 });
    const program = spawnStream(process.execPath, ["--enable-source-maps", worker, file], {
      env: { UV_THREADPOOL_SIZE: "32" }, // of all its agents
    });
    program.stderr.resume();
    program.done.catch((error: unknown) => {
      failed ??= error;
    });
    createInterface({ input: program.stdout }).on("line", (line) => hear(JSON.parse(line) as Told));
    programs.push(program);
  }
  const until = <T>(what: string, found: () => T | undefined, timeoutMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        listeners.delete(look);
      };
      const look = () => {
        const value = found();
        if (value === undefined) return;
        end();
        resolve(value);
      };
      const timer = setTimeout(() => {
        end();
        reject(failed ?? new Error(`${what}: not within ${timeoutMs} ms`));
      }, timeoutMs);
      listeners.add(look);
      look();
    });
  return {
    synced: () =>
      until(
        "agents that have everything",
        () => (synced.size === agents.length ? Math.max(...synced.values()) : undefined),
        600_000,
      ),
    reached: (what, { namespace, revision }, timeoutMs) =>
      until(
        `${what} of all agents at ${namespace}@${revision}`,
        () => {
          const by = [...(times.get(`${what} ${namespace}`)?.values() ?? [])];
          const at = by.flatMap((all) => all.find((one) => one.revision >= revision)?.at ?? []);
          return at.length === agents.length ? at : undefined;
        },
        timeoutMs,
      ),
    async usage() {
      const heard: Usage[] = [];
      const note = (told: Told) => {
        if (told.type === "usage") heard.push(told);
      };
      listeners.add(note); // before the one that looks
      const done = until("the usage", () => (heard.length === programs.length ? heard : undefined), 60_000);
      for (const { stdin } of programs) stdin.write("usage\n");
      const all = await done;
      listeners.delete(note);
      return all;
    },
    async close() {
      for (const { stdin } of programs) stdin.end();
      await Promise.all(programs.map(({ done }) => done.catch(() => undefined)));
    },
  };
}

export const rssPerAgent = (usage: readonly Usage[]): number =>
  quantile(
    usage.map(({ rssBytes, agents }) => rssBytes / agents),
    0.5,
  );
