import type { StoreMoved } from "@ployz/primitives/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { atEvent, daemonOf, killAt } from "../../src/kill.ts";
import { started } from "../../src/started.ts";
import { storeOf, storeOn, storeWriter } from "../../src/store.ts";
import { daemonUp, within } from "../../src/survive.ts";

/**
 * kill -9 of a daemon, or a partition, at every event of a move of the store, while m4 writes; then the same command again, on another
 * machine.
 */
let cluster: Cluster;
const MOVES = {
  "one to three": { args: ["--replicas", "3", "m1", "m2", "m3"], to: ["m1", "m2", "m3"], from: ["m1"] },
  "three to one": { args: ["--replicas", "1", "m1"], to: ["m1"], from: ["m1", "m2", "m3"] },
} as const;
type Move = (typeof MOVES)[keyof typeof MOVES];
const promote = ({ args }: Pick<Move, "args">) => ["machine", "storage", "promote", ...args];
/** Each of five stages starts and is done. */
const EVENTS = Array.from({ length: 10 }, (_, k) => k);
const STRIDE = Number(process.env.PLOYZ_E2E_STRIDE ?? 1);

beforeAll(async () => {
  cluster = await openCluster({ machines: 4 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Where a round begins. */
async function begin({ from }: Move): Promise<void> {
  const { machines } = await storeOf(cluster, 4);
  if (machines.map(({ id }) => id).join() !== from.join())
    await cluster.ctl(4, promote({ args: ["--replicas", String(from.length), ...from] as never }), {
      timeoutMs: 180_000,
    });
  await storeOn(cluster, 4, from);
}

/** Disturbs a move at its `k`th event; then the same command on another machine has to finish it, with nothing lost. */
async function round(
  move: Move,
  label: string,
  disturb: (running: Awaited<ReturnType<typeof started>>) => Promise<void>,
  mend: () => Promise<unknown>,
): Promise<void> {
  await begin(move);
  await using writing = await storeWriter(cluster, 4);
  const running = await started(cluster, 2, promote(move));
  await disturb(running);
  const { exitCode, stdout } = await running.done;
  await mend();
  const again = performance.now();
  const done = await cluster.json<StoreMoved>(4, promote(move), { timeoutMs: 180_000 });
  expect(done.machines, stdout).toEqual(move.to);
  const { generation } = await storeOn(cluster, 4, move.to);
  const written = await writing.end();
  console.log(
    `${label}: exit code ${exitCode}, then ${Math.round(performance.now() - again)} ms; generation ${generation}, ${JSON.stringify(written)}`,
  );
  expect(written.acknowledged).toBeGreaterThan(0);
  expect(written.lost).toEqual([]);
  for (const i of [1, 2, 3])
    await within(`m${i} knows generation ${generation}`, 30_000, async () =>
      (await storeOf(cluster, i)).generation === generation ? true : undefined,
    );
}

const killed = (move: Move, victim: number, k: number) =>
  round(
    move,
    `m${victim} killed at ${k}`,
    async (running) => {
      const done = await killAt(running, await daemonOf(cluster, victim), { k });
      expect(done, JSON.stringify(running.events)).toBe(true);
    },
    () => daemonUp(cluster, victim),
  );

const cutOff = (move: Move, [a, b]: readonly [number, number], k: number) =>
  round(
    move,
    `m${a} and m${b} cut off at ${k}`,
    async (running) => {
      expect(await atEvent(running, k), JSON.stringify(running.events)).toBe(true);
      await cluster.lab.partition(a, b);
    },
    () => cluster.lab.heal(),
  );

describe.each(Object.entries(MOVES))("from %s", (_, move) => {
  describe.each([
    ["the coordinator", 2],
    ["the machine that holds it before and after", 1],
    ["another one of the set", 3],
  ])("%s dies", (_who, victim) => {
    it.each(EVENTS.filter((k) => k % STRIDE === 0))("at event %i", (k) => killed(move, victim, k));
  });
  describe.each([
    ["the coordinator from the machine that holds it", [2, 1]],
    ["the machine that holds it from another one of the set", [1, 3]],
    ["the machine that holds it from who writes", [1, 4]],
  ] as const)("a partition cuts off %s", (_who, pair) => {
    it.each(EVENTS.filter((k) => k % STRIDE === 0))("at event %i", (k) => cutOff(move, pair, k));
  });
});
