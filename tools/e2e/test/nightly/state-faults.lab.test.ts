import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { cut, freeze, kill, PHASES, type Phase, partition } from "../../src/state-attacks.ts";
import { type Primitive, type StateLoop, stateLoop } from "../../src/state-loop.ts";

let cluster: Cluster;
let loop: StateLoop;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  loop = await stateLoop(cluster);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** 1 tries every event. */
const STRIDE = Number(process.env.PLOYZ_E2E_STRIDE ?? 1);
const phases = Object.keys(PHASES) as Phase[];
const primitives: readonly Primitive[] = ["branch", "promote", "rollback", "migrate"];

describe.each(phases)("a migration %s", (phase) => {
  it("survives a power cut of the source", () => loop.round("migrate", cut(cluster, "source", phase)));
  it("survives a power cut of the target", () => loop.round("migrate", cut(cluster, "target", phase)));
  it("survives a partition between the two", () => loop.round("migrate", partition(cluster, phase)));
});

describe.each(primitives)("%s under kill -9 and a frozen coordinator", (primitive) => {
  const roles =
    primitive === "migrate"
      ? (["coordinator", "source", "target"] as const)
      : (["coordinator", "source"] as const);
  it.each(roles)("of the %s, at every event of the journal", async (role) => {
    const length = await loop.length(primitive);
    expect(length).toBeGreaterThan(10);
    for (let k = 0; k < length; k += STRIDE) await loop.round(primitive, kill(role, k, k % 3 === 2 ? 15 : 0));
  });
  it("frozen through its lease", async () => {
    const length = await loop.length(primitive);
    for (let k = 3; k < length - 3; k += 5 * STRIDE) await loop.round(primitive, freeze(k));
  });
});
