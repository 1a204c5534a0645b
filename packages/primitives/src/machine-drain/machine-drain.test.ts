import { describe, expect, test } from "vitest";
import { machineActivate } from "../machine-activate/index.ts";
import { machineStandby } from "../machine-standby/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { deploy, headOf, service, shop } from "../testing/scenarios/change.ts";
import { apply, inspect, serious, shopOn, stateOf, type World } from "../testing/scenarios/membership.ts";
import { machineDrain } from "./index.ts";

const M1 = { machine: "m1" };
const on = async (world: World) => (await headOf(world)).instances.map(({ machine }) => machine);

describe("a machine that drains", () => {
  test("keeps what it has and takes nothing new", async () => {
    const world = await shopOn(["m1", "m2"]);
    const before = await on(world);
    expect(await apply(world, machineDrain, M1)).toMatchObject({ state: "done", changed: true });
    expect(await stateOf(world, "m1")).toBe("draining");
    expect(await on(world)).toEqual(before);
    await deploy(world, shop(1) + service("more", 1, "replicas = 3"));
    const added = (await headOf(world)).instances.filter((one) => one.service === "more");
    expect(added.map(({ machine }) => machine)).toEqual(["m2", "m2", "m2"]);
    expect(await apply(world, machineDrain, M1)).toMatchObject({ state: "done", changed: false });
  });

  test("refuses by itself what a deploy that has planned before sends", async () => {
    const world = await shopOn(["m1"]);
    await apply(world, machineDrain, M1);
    const reserve = world.ports.machines.call(
      "m1",
      "instance.reserve",
      { id: "prod.web.9.aaaaaaaa" },
      {
        timeoutMs: 1_000,
        signal: new AbortController().signal,
        fence: { scope: "deploy.other", generation: 1, revision: 99 },
      },
    );
    await expect(reserve).rejects.toMatchObject({ code: "machine_draining" });
  });

  test("is empty afterwards with migrate, and takes instances again when it is activated", async () => {
    const world = await shopOn(["m1", "m2"]);
    expect(await apply(world, machineDrain, { ...M1, migrate: true })).toMatchObject({
      state: "done",
      owed: [],
      output: { namespaces: [{ namespace: "prod" }] },
    });
    expect(await on(world)).toEqual(["m2", "m2"]);
    expect(await apply(world, machineDrain, { ...M1, migrate: true })).toMatchObject({ changed: false });
    expect(await apply(world, machineActivate, M1)).toMatchObject({ state: "done", changed: true });
    await deploy(world, shop(1) + service("more", 1));
    expect(await on(world)).toContain("m1");
  });

  test("with migrate and no room elsewhere is refused before anything changes", async () => {
    const world = await shopOn(["m1"]);
    expect(await apply(world, machineDrain, { ...M1, migrate: true })).toMatchObject({
      kind: "refused",
      refusals: expect.arrayContaining([expect.objectContaining({ code: "no_machine_fits" })]),
    });
    expect(await stateOf(world, "m1")).toBe("active");
  });
});

describe("standby", () => {
  test("is refused while something is there, with what and how it gets away", async () => {
    const world = await shopOn(["m1"]);
    const outcome = await apply(world, machineStandby, M1);
    expect(outcome).toMatchObject({
      refusals: [
        {
          code: "machine_not_empty",
          message: "on m1 there are prod/db.1, prod/web.1, volume prod/data",
          hint: "ployzctl machine drain m1 --migrate",
        },
      ],
    });
  });

  test("takes nothing, until it is activated", async () => {
    const world = await shopOn(["m1", "m2"]);
    await apply(world, machineDrain, { ...M1, migrate: true });
    expect(await apply(world, machineStandby, M1)).toMatchObject({ state: "done", changed: true });
    await deploy(world, shop(1) + service("more", 1, "replicas = 2"));
    expect(await on(world)).not.toContain("m1");
  });
});

test.each([machineDrain, machineStandby])("$name of a machine without workloads", async (primitive) => {
  const world = await shopOn(["m1", "m2"]);
  await apply(world, machineDrain, { machine: "m2", migrate: true });
  await apply(world, machineActivate, { machine: "m2" });
  expect(await on(world)).not.toContain("m2");
  expect(await apply(world, primitive, { machine: "m2" })).toMatchObject({ state: "done", changed: true });
});

test.each([machineDrain, machineActivate, machineStandby])("$name of nobody", async (primitive) => {
  const world = await shopOn(["m1"]);
  expect(await apply(world, primitive, { machine: "m9" })).toMatchObject({
    refusals: [{ code: "machine_unknown" }],
  });
  expect(await apply(world, primitive, { machine: "m.1" })).toMatchObject({
    refusals: [{ code: "invalid_input" }],
  });
});

test("drain --migrate under every fault", { timeout: 400_000 }, async () => {
  const scenario = {
    primitive: machineDrain,
    input: { ...M1, migrate: true },
    world: () => shopOn(["m1", "m2"]),
    inspect,
  };
  expect(serious(await checkPrimitive(scenario, { every: 9 }))).toEqual([]);
});
