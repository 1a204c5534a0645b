import type { ProcessIdentity } from "@ployz/exec";
import { expect } from "vitest";
import type { Cluster } from "./cluster.ts";
import { difference, type Inventory, inventory } from "./inventory.ts";
import { answers, daemonOf, isJournaled } from "./kill.ts";
import { LEDGER, ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "./ledger.ts";
import { type Said, type Started, started } from "./started.ts";
import { watchWriters } from "./writers.ts";

/** The fault, and the machine that repeats the command. */
export interface Attack {
  readonly label: string;
  /** Injects the fault into a running command; resolves when done. */
  harm(running: Started, where: Where, daemons: Daemons): Promise<void>;
  /** Undoes the fault after the command has ended. */
  repair?(where: Where): Promise<void>;
  /** While the command hangs, another machine runs the same command, which must finish: the coordinator is stopped. */
  meanwhile?: boolean;
  /** The command itself must succeed. */
  unnoticed?: boolean;
}

/** The daemons as they are before the command. */
export type Daemons = Readonly<Record<keyof Where, ProcessIdentity>>;

/** Machines of a round. The coordinator holds the store too, and no data. */
export interface Where {
  readonly coordinator: number;
  readonly source: number;
  readonly target: number;
}

export type Primitive = "branch" | "promote" | "rollback" | "migrate";

/** Repeated primitives that move data, under fault injection on one cluster with an active writer. */
export interface StateLoop {
  round(primitive: Primitive, attack: Attack): Promise<void>;
  /** Journaled events of an undisturbed run. */
  length(primitive: Primitive): Promise<number>;
}

const coordinator = 1;
const BRANCH = `pr--${LEDGER}`;
const COMMANDS = {
  branch: () => ["branch", "apply", "prod", "pr", "--volume-mode", "branch"],
  promote: () => ["promote", "pr", "prod", "--volume", "data=replace"],
  rollback: () => ["rollback", "prod", "--volumes", "all"],
  migrate: ({ target }: Where) => ["migrate", "apply", "prod/ledger", "--to", `m${target}`],
} as const;

/** On a cluster of three with pools. */
export async function stateLoop(cluster: Cluster): Promise<StateLoop> {
  let version = 0;
  const deploy = async (at: number, machine?: string) => {
    const options = { version: `v${++version}`, ...(machine !== undefined && { machine }) };
    await cluster.ctl(at, ["deploy", "-f", await cluster.put(at, ledgerManifest(options), ledgerBundles)]);
  };
  // From each machine, so that all have the bundles: a rollback must not need the machine that is down.
  await deploy(1, "m2");
  await deploy(2);
  await deploy(3); // from here on it may move
  const wanted = await inventory(cluster);
  const lengths = new Map<Primitive, number>();

  const where = async (): Promise<Where> => {
    type Volumes = { readonly volumes: readonly { readonly machine: string }[] };
    const { volumes } = await cluster.json<Volumes>(1, ["volume", "ls", "prod"]);
    const source = Number(volumes[0]?.machine.slice(1));
    return { coordinator, source, target: source === 2 ? 3 : 2 };
  };
  const newest = async () =>
    (await cluster.json<{ commits: readonly { revision: number }[] }>(1, ["history", "prod"])).commits[0]
      ?.revision ?? 0;
  const run = (machine: number, args: readonly string[]) =>
    cluster.ctl(machine, args, { timeoutMs: 240_000 });

  /** Preconditions of the primitive, which must be gone after it. */
  async function prepare(primitive: Primitive): Promise<void> {
    if (primitive === "promote") {
      await run(1, COMMANDS.branch());
      await cluster.get(1, BRANCH, `/write?n=${100_000_000 + version}`);
    }
    if (primitive === "rollback") await deploy(1);
  }

  /** The rows expected in prod or in the copies that the command kept. */
  async function check(
    primitive: Primitive,
    replaced: number,
    acknowledged: readonly number[],
    label: string,
  ): Promise<void> {
    const rows = new Set(await rowsOf(cluster, 2));
    const marked = 100_000_000 + version;
    if (primitive === "branch") {
      await cluster.get(1, BRANCH, `/write?n=${marked}`);
      expect(await rowsOf(cluster, 2, BRANCH), label).toContain(marked);
      expect(await rowsOf(cluster, 2), label).not.toContain(marked);
    }
    if (primitive === "promote") expect([...rows], label).toContain(marked);
    if (primitive === "promote" || primitive === "rollback") {
      // Forward again: the replaced copy has every acknowledged row.
      await run(2, ["rollback", "prod", "--to", String(replaced), "--volumes", "all"]);
      for (const row of await rowsOf(cluster, 3)) rows.add(row);
    }
    expect(lost(acknowledged, [...rows]), label).toEqual([]);
    if (primitive === "branch" || primitive === "promote") await run(1, ["namespace", "rm", "pr", "--yes"]);
  }

  async function round(primitive: Primitive, { label: what, ...attack }: Attack): Promise<void> {
    const label = `${primitive}, ${what}`;
    await prepare(primitive);
    const machines = await where();
    const command = COMMANDS[primitive](machines);
    const replaced = await newest();
    await using watch = watchWriters(cluster, "prod");
    await using writing = await writer(cluster, coordinator);
    const before = await rowsOf(cluster, coordinator);
    const began = performance.now();
    const [first, source, target] = await Promise.all(
      [coordinator, machines.source, machines.target].map((machine) => daemonOf(cluster, machine)),
    );
    if (!first || !source || !target) throw new Error("a daemon does not run");
    const running = await started(cluster, coordinator, command);
    await attack.harm(running, machines, { coordinator: first, source, target });
    const again = machines.source === 2 ? 3 : 2;
    if (attack.meanwhile === true) await run(again, command);
    else {
      const { exitCode, stdout, stderr } = await running.done;
      console.log(`${label}: ended with ${exitCode} after ${Math.round(performance.now() - began)} ms`);
      if (attack.unnoticed === true) expect(exitCode, `${label}: ${stdout}\n${stderr}`).toBe(0);
    }
    await attack.repair?.(machines);
    await running.done;
    for (const machine of [1, 2, 3]) await answers(cluster, machine);
    await run(again, command);
    const { acknowledged, failures, longestGapMs } = await writing.end();
    console.log(
      `${label}: finished after ${Math.round(performance.now() - began)} ms, ${acknowledged.length} rows, ${failures.length} failed, longest gap ${longestGapMs} ms`,
    );
    if (primitive === "migrate") expect((await where()).source, label).toBe(machines.target);
    await check(primitive, replaced, [...before, ...acknowledged], label);
    expect(await watch.end(), label).toEqual([]);
    await same(cluster, wanted, label);
  }

  return {
    round,
    async length(primitive) {
      const known = lengths.get(primitive);
      if (known !== undefined) return known;
      let events: readonly Said[] = [];
      await round(primitive, {
        label: "undisturbed",
        unnoticed: true,
        async harm(running) {
          await running.done;
          ({ events } = running);
        },
      });
      const length = events.filter(isJournaled).length;
      lengths.set(primitive, length);
      return length;
    },
  };
}

/** Entries that a machine has from its first instance on. */
const ONCE = /^m\d: (bundle |data |cgroup \w+ supervisors)/;

/** Equal within a few seconds: a daemon that has just started removes strays after it answers. */
async function same(cluster: Cluster, wanted: Inventory, label: string): Promise<void> {
  const until = performance.now() + 15_000;
  let left: readonly string[];
  do
    left = difference(wanted, await inventory(cluster), { anywhere: true }).filter(
      (line) => !ONCE.test(line.slice("+ ".length)),
    );
  while (left.length > 0 && performance.now() < until);
  expect(left, label).toEqual([]);
}
