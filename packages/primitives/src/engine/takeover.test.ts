import { PloyzError } from "@ployz/errors";
import { describe, expect, it } from "vitest";
import { memoryDeps } from "../testing/bench.ts";
import { interpose } from "../testing/harness/interpose.ts";
import { leftInStore } from "../testing/harness/judge.ts";
import { createCluster, openProcess } from "../testing/harness/process.ts";
import { type PlaceWorld, placeScenario } from "../testing/place-scenario.ts";
import { place } from "../testing/toy.ts";
import { register } from "./deps.ts";
import { markInterrupted, presentSummary, resolveInterrupted } from "./resolve.ts";
import { runOperation } from "./run.ts";

const scenario = placeScenario();
const { input } = scenario;
const apply = { input, mode: "apply" as const };
const other = {
  input: { namespace: "prod", items: [{ name: "z", machine: "m1", needs: [] }] },
  mode: "apply" as const,
};
const CLEAN = {
  reserved: [
    ["m1", []],
    ["m2", ["old"]],
  ],
  missing: [],
  placed: ["old"],
};
const FINISHED = {
  reserved: [
    ["m1", ["a", "c"]],
    ["m2", ["b"]],
  ],
  missing: [],
  placed: ["a", "b", "c"],
};

/** A world in which a daemon on coordinator-1 died right after the named call's effect. */
async function crashedAfter(call: string): Promise<{ world: PlaceWorld; dead: string }> {
  const probe = await scenario.world();
  const whole = openProcess(probe, createCluster(probe.clock), {
    primitive: place,
    input,
    machine: "coordinator-1",
  });
  await whole.run();
  const at = whole.trace.indexOf(call);
  if (at < 0) throw new Error(`${call} is not among ${whole.trace.join(", ")}`);
  const world = await scenario.world();
  const faults = [{ at, when: "after" as const, kind: "crash" as const }];
  const process = openProcess(world, createCluster(world.clock), {
    primitive: place,
    input,
    machine: "coordinator-1",
    faults,
  });
  expect(await process.run()).toBe("crashed");
  const [dead] = await world.ports.store.journals.summaries(1);
  return { world, dead: dead?.key ?? "" };
}

/** What another machine's daemon sees: coordinator-1 answers whether it runs an operation, or does not answer. */
function as(world: PlaceWorld, holder: "running" | "restarted" | "silent") {
  const ports = interpose(world.ports, async (name, args, effect) => {
    if (name !== "machines.call" || args[0] !== "coordinator-1") return effect();
    if (holder === "silent") throw new PloyzError({ code: "machine_unreachable", message: "silent" });
    return { running: holder === "running" };
  });
  const ids = { newOperationId: () => "01Q3DCBD0100000000000000ZZ" };
  const self = { machine: "coordinator-2", by: "root@coordinator-2" };
  return memoryDeps({ ...world, ports }, { ids, self });
}

describe("a second runner", () => {
  it("is refused at once while the first runs, naming it", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const before = world.clock.now();
    const outcome = await runOperation(place, other, as(world, "running"));
    expect(outcome).toMatchObject({
      kind: "refused",
      refusals: [
        {
          code: "scope_busy",
          operationId: dead,
          machine: "coordinator-1",
          hint: `ployzctl ops watch ${dead}`,
        },
      ],
    });
    expect(world.clock.now()).toBe(before);
  });

  it("waits for the lease of a machine that does not answer, and says so", async () => {
    const { world } = await crashedAfter("instance.reserve on m1");
    const before = world.clock.now();
    const deps = as(world, "silent");
    expect(await runOperation(place, apply, deps)).toMatchObject({ state: "done" });
    expect(deps.events.map(({ type }) => type)).toContain("waiting");
    expect(world.clock.now() - before).toBeLessThanOrEqual(20_000);
    expect(await scenario.inspect(world)).toEqual(FINISHED);
  });

  it("does not wait when the other daemon was restarted; the same input continues under the same id", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const before = world.clock.now();
    const deps = as(world, "restarted");
    expect(await runOperation(place, apply, deps)).toMatchObject({ state: "done", operation: dead });
    expect(deps.events[0]).toMatchObject({ type: "accepted", operation: dead, resumed: true });
    expect(world.clock.now()).toBe(before);
    expect(await scenario.inspect(world)).toEqual(FINISHED);
  });

  it("with another input undoes the interrupted operation first", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m2");
    expect(await runOperation(place, other, as(world, "restarted"))).toMatchObject({
      state: "done",
      changed: true,
    });
    expect(await scenario.inspect(world)).toEqual({
      reserved: [
        ["m1", ["z"]],
        ["m2", []],
      ],
      missing: [],
      placed: ["z"],
    });
    expect((await world.ports.store.journals.summary(dead))?.value).toMatchObject({ state: "failed" });
    expect(await leftInStore(world.ports.store)).toEqual([]);
  });

  it("with another input finishes the committed operation first", async () => {
    const { world, dead } = await crashedAfter("store.commits.append");
    expect(await runOperation(place, other, as(world, "restarted"))).toMatchObject({ state: "done" });
    expect(await scenario.inspect(world)).toEqual({
      reserved: [
        ["m1", ["z"]],
        ["m2", []],
      ],
      missing: [],
      placed: ["z"],
    });
    expect((await world.ports.store.journals.summary(dead))?.value).toMatchObject({ state: "done" });
  });

  it("touches nothing of an operation whose version it does not know", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const before = await scenario.inspect(world);
    const journal = await world.ports.store.journals.read(dead);
    const outcome = await runOperation({ ...place, version: 2 }, apply, as(world, "restarted"));
    expect(outcome).toMatchObject({
      kind: "refused",
      refusals: [{ code: "operation_version", operationId: dead }],
    });
    expect(await scenario.inspect(world)).toEqual(before);
    expect(await world.ports.store.journals.read(dead)).toEqual(journal);
    expect(await world.ports.store.leases.list()).toEqual([]);
  });

  it("starts fresh when what the plan rested on has changed", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const { commits } = world.ports.store;
    const last = await commits.last("prod");
    if (last === undefined) throw new Error("the scenario commits something");
    await commits.append({ ...last.value, operation: "RIVAL" }, last.revision);
    const outcome = await runOperation(place, apply, as(world, "restarted"));
    expect(outcome).toMatchObject({ state: "done", operation: "01Q3DCBD0100000000000000ZZ" });
    expect((await world.ports.store.journals.summary(dead))?.value).toMatchObject({ state: "failed" });
    expect(await scenario.inspect(world)).toEqual(FINISHED);
  });
});

describe("an interrupted operation", () => {
  const primitives = (world: PlaceWorld) => new Map([["place", register(place, world.ports)]]);

  it.each([
    ["before the commit is undone", "instance.reserve on m2", "aborted", CLEAN],
    ["after the commit is finished", "store.commits.append", "done", FINISHED],
  ])("%s by an abort", async (_name, call, state, wanted) => {
    const { world, dead } = await crashedAfter(call);
    const deps = { ...as(world, "restarted"), store: world.ports.store };
    const registry = new Map([["place", register(place, deps.ports)]]);
    expect(await resolveInterrupted(registry, dead, deps)).toMatchObject({ operation: dead, state });
    expect(await scenario.inspect(world)).toEqual(wanted);
    expect(await leftInStore(world.ports.store)).toEqual([]);
    expect(await resolveInterrupted(registry, dead, deps)).toMatchObject({ state });
  });

  it("is marked by the daemon that starts again, and its lease is free", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const { store } = world.ports;
    const options = { store, machine: "coordinator-1", clock: world.clock, ids: createCluster(world.clock) };
    expect(await markInterrupted({ ...options, isRunning: () => true })).toEqual([]);
    expect(await markInterrupted({ ...options, isRunning: () => false })).toEqual([dead]);
    expect(await markInterrupted({ ...options, isRunning: () => false })).toEqual([]);
    expect((await store.journals.summary(dead))?.value).toMatchObject({
      state: "interrupted",
      error: { code: "interrupted" },
    });
    expect(await store.leases.list()).toEqual([]);
    expect(await runOperation(place, apply, as(world, "silent"))).toMatchObject({
      state: "done",
      operation: dead,
    });
  });

  it("of an unknown name is said to be unknown", async () => {
    const world = await scenario.world();
    const deps = { ...as(world, "restarted"), store: world.ports.store };
    const asked = resolveInterrupted(primitives(world), "01Q3DCBD0100000000000000XX", deps);
    await expect(asked).rejects.toMatchObject({ code: "operation_unknown" });
  });

  it("is shown as interrupted when its scope is not leased", async () => {
    const { world, dead } = await crashedAfter("instance.reserve on m1");
    const summary = (await world.ports.store.journals.summary(dead))?.value;
    if (summary === undefined) throw new Error("it has a summary");
    expect(presentSummary(summary, new Set(["place.prod"])).state).toBe("running");
    expect(presentSummary(summary, new Set()).state).toBe("interrupted");
  });
});
