import type { StoreMoved } from "@ployz/primitives/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { daemonOf, killAt } from "../../src/kill.ts";
import { started } from "../../src/started.ts";
import { storeOf, storeOn, storeWriter } from "../../src/store.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** kill -9 of a daemon at every event of `store restore` and `store recover`; then the same command again. The store is on m1 before each. */
let cluster: Cluster;
/** Each of five stages starts and is done. */
const EVENTS = Array.from({ length: 10 }, (_, k) => k);
const STRIDE = Number(process.env.PLOYZ_E2E_STRIDE ?? 1);
const LONG = { timeoutMs: 180_000 };
let version = 0;

beforeAll(async () => {
  cluster = await openCluster({ machines: 4 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (i: number) => {
  version += 1;
  // On m4, which nothing happens to.
  const extra = 'constraints = { machines = ["m4"] }\n';
  const file = await cluster.put(i, webManifest({ version: `v${version}`, replicas: 1, extra }), webBundle);
  return (await cluster.json<{ readonly revision: number }>(i, ["deploy", "-f", file], { ok: [0, 5] }))
    .revision;
};
const head = async (i: number) =>
  (await cluster.json<{ commits: readonly { readonly revision: number }[] }>(i, ["history", "prod"]))
    .commits[0]?.revision;

async function onFirst(): Promise<void> {
  if ((await storeOf(cluster, 4)).machines.map(({ id }) => id).join() !== "m1")
    await cluster.ctl(4, ["machine", "storage", "promote", "--replicas", "1", "m1"], LONG);
  await storeOn(cluster, 4, ["m1"]);
}

/** One generation, on every machine that is up, which takes writes. */
async function one(machines: readonly number[], generation: number): Promise<void> {
  for (const i of machines)
    await within(`m${i} knows generation ${generation}`, 30_000, async () =>
      (await storeOf(cluster, i)).generation === generation ? true : undefined,
    );
  await using writing = await storeWriter(cluster, 4);
  await deploy(2);
  const written = await writing.end();
  expect(written.acknowledged).toBeGreaterThan(0);
  expect(written.lost).toEqual([]);
}

/** Kills at the `k`th event of what runs on m2; says whether the command was already through. */
async function killing(args: readonly string[], victim: number, k: number): Promise<void> {
  const running = await started(cluster, 2, args);
  const killed = await killAt(running, await daemonOf(cluster, victim), { k });
  const { exitCode, stdout } = await running.done;
  expect(killed, `${exitCode}: ${stdout} ${JSON.stringify(running.events)}`).toBe(true);
  await daemonUp(cluster, victim);
  console.log(`m${victim} killed at ${k}: exit code ${exitCode}`);
}

describe.each([
  ["the coordinator", 2],
  ["the machine that holds it", 1],
])("a restore, and %s dies", (_who, victim) => {
  it.each(EVENTS.filter((k) => k % STRIDE === 0))("at event %i", async (k) => {
    await onFirst();
    const kept = await deploy(3);
    await cluster.lab.sh(1, ["rm", "-f", "/root/a.ployz"]);
    await cluster.ctl(1, ["store", "snapshot", "-o", "/root/a.ployz"]);
    const { stdout: backup } = await cluster.lab.sh(1, ["base64", "-w0", "/root/a.ployz"]);
    await cluster.lab.sh(2, ["sh", "-c", "base64 -d > /root/a.ployz"], { input: backup });
    await deploy(3);
    const args = ["store", "restore", "/root/a.ployz", "--yes"];
    await killing(args, victim, k);
    await cluster.json<StoreMoved>(2, args, LONG);
    const { generation } = await storeOn(cluster, 4, ["m1"]);
    expect(await head(4)).toBe(kept);
    await one([1, 2, 3], generation);
  });
});

describe.each([
  ["the coordinator", 2],
  ["another one of the new set", 3],
])("a recovery of a lost store, and %s dies", (_who, victim) => {
  it.each(EVENTS.filter((k) => k % STRIDE === 0))("at event %i", async (k) => {
    await onFirst();
    const kept = await deploy(3);
    await cluster.lab.cut(1);
    try {
      const args = ["store", "recover", "m2", "m3", "m4", "--yes"];
      await killing(args, victim, k);
      // Decided before: then there is a store again, and nothing to recover.
      const again = await cluster.ctl(2, [...args, "--json"], { ...LONG, ok: [0, 3] });
      if (again.exitCode === 3) expect(again.stdout).toContain("store_not_lost");
      const { generation } = await storeOn(cluster, 4, ["m2", "m3", "m4"]);
      expect(await head(4)).toBe(kept);
      await one([2, 3], generation);
    } finally {
      await cluster.lab.on(1);
    }
    await daemonUp(cluster, 1);
  });
});
