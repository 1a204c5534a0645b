import { type RunResult, waitFor } from "@ployz/exec";
import { expect } from "vitest";
import { type Cluster, webBundle, webManifest } from "./cluster.ts";
import { difference, type Inventory, inventory } from "./inventory.ts";
import { answers, atEvent, daemonOf, isJournaled, killAt, lostOrDone, supervise } from "./kill.ts";
import { type Started, started } from "./started.ts";

/** Repeated deploys under fault injection on one cluster; each round deploys another version. */
export interface DeployLoop {
  /** Journaled events of an undisturbed deploy. */
  readonly length: number;
  /** The coordinator dies at event `k`; its supervisor starts it again, and another machine runs the same command. */
  restarts(k: number, afterMs?: number): Promise<void>;
  /** The coordinator dies at event `k` and stays dead until another machine has finished its work. */
  staysDown(k: number): Promise<void>;
  /** The coordinator's machine freezes at event `k` and resumes after another has finished its work: it must then change nothing. */
  paused(k: number): Promise<void>;
  /** The daemon of a participating machine dies at event `k`, and is back within a second. The command must still succeed. */
  participant(k: number, machine: number): Promise<void>;
}

const coordinator = 2;
const other = 3;

export async function deployLoop(cluster: Cluster): Promise<DeployLoop> {
  let version = 0;
  const next = () => {
    version += 1;
    return webManifest({ version: `v${version}` });
  };
  const put = async (machine: number, manifest: string) => cluster.put(machine, manifest, webBundle);

  await cluster.ctl(coordinator, ["deploy", "-f", await put(coordinator, next())]);
  const clean = await started(cluster, coordinator, ["deploy", "-f", await put(coordinator, next())]);
  expect((await clean.done).exitCode).toBe(0);
  const length = clean.events.filter(isJournaled).length;
  const wanted = await inventory(cluster);

  const serves = async (label: string) => {
    for (const machine of [1, 2, 3]) {
      expect((await cluster.get(machine, "www.example.test")).body, label).toContain(
        `"version":"v${version}"`,
      );
    }
  };
  const attacked = async (machine: number, k: number, afterMs = 0) => {
    const manifest = next();
    const file = await put(coordinator, manifest);
    const copy = await put(other, manifest);
    const daemon = await daemonOf(cluster, machine);
    const running = await started(cluster, coordinator, ["deploy", "-f", file]);
    const killed = await killAt(running, daemon, { k, afterMs });
    await lostOrDone(running);
    return { copy, killed, done: running.done };
  };

  return {
    length,
    async restarts(k, afterMs = 0) {
      const label = `coordinator killed ${afterMs} ms after event ${k} of ${length}`;
      const { copy, done } = await attacked(coordinator, k, afterMs);
      const asked = performance.now();
      await cluster.ctl(other, ["deploy", "-f", copy]);
      expect(performance.now() - asked, label).toBeLessThan(40_000);
      // Killed before its first entry, there is no operation that could be followed.
      expect([0, 5], label).toContain((await done).exitCode);
      await answers(cluster, coordinator);
      await serves(label);
      // Killed before planning (event 0), the next command plans while that daemon restarts, and avoids its machine.
      // Later, the existing plan is resumed: placement does not change.
      await same(cluster, wanted, label, k === 0);
    },
    async staysDown(k) {
      const label = `coordinator dead from event ${k} of ${length}`;
      await supervise(cluster, coordinator, "once");
      try {
        const { copy } = await attacked(coordinator, k);
        const asked = performance.now();
        const { stderr } = await cluster.ctl(other, ["deploy", "-f", copy]);
        expect(performance.now() - asked, label).toBeLessThan(75_000);
        console.log(label, Math.round(performance.now() - asked), "ms", stderr.match(/^waiting.*$/gm));
        expect((await cluster.get(1, "www.example.test")).body, label).toContain(`"version":"v${version}"`);
        await supervise(cluster, coordinator, "up");
        await answers(cluster, coordinator);
        // The next run, on any machine, completes the dead machine's pending steps.
        await cluster.ctl(1, ["deploy", "-f", await put(1, webManifest({ version: `v${version}` }))]);
      } finally {
        await supervise(cluster, coordinator, "up");
      }
      await serves(label);
      await same(cluster, wanted, label, true);
      // Spread again, for the next round.
      await cluster.ctl(coordinator, ["deploy", "-f", await put(coordinator, next())]);
      await same(cluster, wanted, `${label}, next deploy`);
    },
    async paused(k) {
      const label = `coordinator's machine frozen at event ${k} of ${length}`;
      const manifest = next();
      const [file, copy] = [await put(coordinator, manifest), await put(other, manifest)];
      const running = await started(cluster, coordinator, ["deploy", "-f", file]);
      await atEvent(running, k);
      await cluster.lab.pause(coordinator);
      const asked = performance.now();
      try {
        const { stderr } = await cluster.ctl(other, ["deploy", "-f", copy]);
        console.log(label, Math.round(performance.now() - asked), "ms", stderr.match(/^waiting.*$/gm));
        expect(performance.now() - asked, label).toBeLessThan(100_000);
      } finally {
        await cluster.lab.resume(coordinator);
      }
      // It finds that another coordinator owns its operation, and changes nothing.
      const { exitCode, stdout } = await woken(cluster, running);
      expect(exitCode, `${label}: ${stdout}`).not.toBe(0);
      await answers(cluster, coordinator);
      await cluster.ctl(1, ["deploy", "-f", await put(1, webManifest({ version: `v${version}` }))]);
      await serves(label);
      await same(cluster, wanted, label, true);
      await cluster.ctl(coordinator, ["deploy", "-f", await put(coordinator, next())]);
      await same(cluster, wanted, `${label}, next deploy`);
    },
    async participant(k, machine) {
      const label = `m${machine}'s daemon killed at event ${k} of ${length}`;
      const result = await (await attacked(machine, k)).done;
      expect(result.exitCode, `${label}: ${result.stdout}\n${result.stderr}`).toBe(0);
      await answers(cluster, machine);
      await serves(label);
      // The plan avoids a machine that was killed before it was observed.
      await same(cluster, wanted, label, true);
    },
  };
}

/** nsenter(1) stops itself when its child was stopped, even if both were resumed meanwhile: send SIGCONT until it exits. */
async function woken({ lab }: Cluster, running: Started): Promise<RunResult> {
  let ended: RunResult | undefined;
  void running.done.then((result) => {
    ended = result;
  });
  const probe = async () => {
    await lab.resume(coordinator);
    return ended;
  };
  return waitFor("the frozen command to end", probe, { timeoutMs: 60_000, intervalMs: 500 });
}

/** Equal within a few seconds: a daemon that has just started removes strays after it answers. */
async function same(cluster: Cluster, wanted: Inventory, label: string, anywhere = false): Promise<void> {
  const until = performance.now() + 10_000;
  let left: readonly string[];
  do left = difference(wanted, await inventory(cluster), { anywhere });
  while (left.length > 0 && performance.now() < until);
  expect(left, label).toEqual([]);
}
