import { PloyzError } from "@ployz/errors";
import { describe, expect, test } from "vitest";
import type { ChangeSummary } from "../change/plan/summary.ts";
import type { Json } from "../model/json.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import {
  apply,
  deploy,
  headOf,
  inspect,
  service,
  shop,
  type World,
  worldWithShop,
} from "../testing/scenarios/change.ts";
import { migrate } from "./index.ts";

const volumeOf = async (world: World) => (await headOf(world)).volumes[0];
const input = (to: string, more: object = {}) => ({ namespace: "prod", service: "db", to, ...more });
const copyOn = (world: World, machine: string) => [...world.memory.machine(machine).volumes.values()];

/** The shop with its database on m1. */
async function onM1(machines: readonly string[] = ["m1", "m2", "m3"]): Promise<World> {
  const world = await worldWithShop(machines);
  if ((await volumeOf(world))?.machine !== "m1") {
    expect(await apply(world, migrate, input("m1"))).toMatchObject({ state: "done", owed: [] });
  }
  return world;
}

describe("migrate", () => {
  test("takes the service, its volume and its data; the source's copy is kept, retired", async () => {
    const world = await onM1();
    const before = await volumeOf(world);
    const outcome = await apply(world, migrate, input("m2"));
    expect(outcome).toMatchObject({ state: "done", changed: true, owed: [] });
    const { services, volumes } = (outcome as { output: Json }).output as unknown as ChangeSummary;
    expect(services.filter(({ downtimeMs = -1 }) => downtimeMs >= 0).map(({ name }) => name)).toEqual(["db"]);
    expect(volumes).toMatchObject([{ copied: { bytes: expect.any(Number), lastBytes: expect.any(Number) } }]);
    const after = await volumeOf(world);
    expect(after).toMatchObject({ id: before?.id, machine: "m2", moved: { from: "m1" } });
    expect((await headOf(world)).instances.find((one) => one.service === "db")?.machine).toBe("m2");
    expect(copyOn(world, "m1").map(({ state }) => state)).toContain("retired");
    const [copy] = copyOn(world, "m2").filter(({ state }) => state === "active");
    expect(copy?.content.length).toBeGreaterThanOrEqual(2);
    // Only the snapshot of the cut-over is left of the copying.
    expect([...(copy?.snapshots.keys() ?? [])].filter((name) => name.includes("-r"))).toEqual([]);
  });

  test("back again sends only the difference", async () => {
    const world = await onM1();
    await apply(world, migrate, input("m2"));
    const pulls = world.memory.machine("m1").effects.filter((effect) => effect.startsWith("pull")).length;
    expect(await apply(world, migrate, input("m1"))).toMatchObject({ state: "done", owed: [] });
    expect(
      world.memory.machine("m1").effects.filter((effect) => effect.startsWith("pull")).length,
    ).toBeGreaterThan(pulls);
    expect(copyOn(world, "m1").length).toBe(1);
    expect(copyOn(world, "m1")[0]?.content.length).toBeGreaterThanOrEqual(3);
  });

  test("when nothing of the last difference comes, the source serves again instead of waiting", async () => {
    const world = await onM1();
    const before = await inspect(world);
    let asked = 0;
    const { machines } = world.ports;
    const call: typeof machines.call = (machine, command, args, options) => {
      if (command !== "volume.pull" || (args as { snapshot: string }).snapshot.includes("-r"))
        return machines.call(machine, command, args, options);
      asked += 1;
      throw new PloyzError({ code: "deadline_exceeded", message: "no progress" });
    };
    const cut = { ...world, ports: { ...world.ports, machines: { ...machines, call } } };
    expect(await apply(cut, migrate, input("m2"))).toMatchObject({
      state: "failed",
      error: { code: "transfer_stalled" },
      owed: [],
    });
    expect(asked).toBe(1);
    expect(await inspect(world)).toEqual(before);
  });

  test("to where it is already changes nothing", async () => {
    expect(await apply(await onM1(), migrate, input("m1"))).toMatchObject({ state: "done", changed: false });
  });

  test("a service that does not get ready there leaves everything as it was", async () => {
    const world = await onM1();
    const before = await inspect(world);
    world.memory.machine("m2").memoryBytes = 0;
    world.memory.machine("m2").bundles.clear();
    world.memory.machine("m2").draining = true;
    expect(await apply(world, migrate, input("m2"))).toMatchObject({ kind: "refused" });
    expect(await inspect(world)).toEqual(before);
  });

  test("a stateless service moves, too; one that runs on several machines does not", async () => {
    const world = await onM1();
    const web = { namespace: "prod", service: "web", to: "m3" };
    expect(await apply(world, migrate, web)).toMatchObject({ state: "done" });
    expect((await headOf(world)).instances.find((one) => one.service === "web")?.machine).toBe("m3");
    await deploy(world, shop(1) + service("many", 1, "replicas = 2"));
    expect(await apply(world, migrate, { ...web, service: "many" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "not_movable" }],
    });
  });

  test.each([
    ["no_such_namespace", { namespace: "nope", service: "db", to: "m2" }],
    ["no_such_service", { namespace: "prod", service: "bd", to: "m2" }],
    ["machine_unknown", { namespace: "prod", service: "db", to: "m9" }],
    ["invalid_input", { namespace: "prod", service: "db", to: "m2", maxRounds: 0 }],
    ["invalid_input", { namespace: "../x", service: "db", to: "m2" }],
    ["invalid_input", { namespace: "prod", service: "db", to: "m2", force: true }],
  ])("%s", async (code, wrong) => {
    const outcome = await apply(await onM1(), migrate, wrong);
    expect(outcome).toMatchObject({ kind: "refused" });
    // One reason: what would only follow from it is left out.
    if (outcome.kind === "refused") expect(outcome.refusals).toMatchObject([{ code }]);
  });

  test("a partition between the machines: nothing is stopped before the data is there", async () => {
    const world = await onM1();
    world.memory.machine("m2").reachable = false;
    expect(await apply(world, migrate, input("m2"))).toMatchObject({ kind: "refused" });
  });

  test("a copy that has diverged on the target is set aside, not overwritten", async () => {
    const world = await onM1();
    await apply(world, migrate, input("m2"));
    const [old] = copyOn(world, "m1");
    old?.snapshots.set("by-hand", { guid: "foreign", content: ["precious"], createdAt: "" });
    expect(await apply(world, migrate, input("m1"))).toMatchObject({ state: "done", owed: [] });
    expect(copyOn(world, "m1").some(({ snapshots }) => snapshots.get("by-hand")?.guid === "foreign")).toBe(
      true,
    );
  });
});

test("under every fault: one writer, and the data is where the commit says", {
  timeout: 400_000,
}, async () => {
  const found = await checkPrimitive(
    { primitive: migrate, input: input("m2"), world: () => onM1(["m1", "m2"]), inspect },
    { every: 5 },
  );
  expect(found).toEqual([]);
});
