import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import { deploy, headOf, service } from "../testing/scenarios/change.ts";
import { apply, inspect, serious, shopOn, type World } from "../testing/scenarios/membership.ts";
import { machineLabel } from "./index.ts";

const recordOf = async (world: World, id: string) =>
  (await world.ports.store.facts.get(`machine.${id}`))?.value;
const machinesOf = async (world: World, name: string) =>
  (await headOf(world)).instances.filter((one) => one.service === name).map(({ machine }) => machine);

test("labels are set, changed and removed; the same again changes nothing", async () => {
  const world = await shopOn(["m1", "m2"]);
  const input = { machine: "m2", labels: { disk: "ssd", rack: "a" }, az: "eu-1" };
  expect(await apply(world, machineLabel, input)).toMatchObject({ state: "done", changed: true });
  expect(await recordOf(world, "m2")).toMatchObject({ labels: { disk: "ssd", rack: "a" }, az: "eu-1" });
  expect(await apply(world, machineLabel, input)).toMatchObject({ changed: false });
  expect(
    await apply(world, machineLabel, { machine: "m2", labels: { disk: "hdd" }, remove: ["rack", "none"] }),
  ).toMatchObject({ changed: true, output: { labels: { disk: "hdd" }, az: "eu-1" } });
  await apply(world, machineLabel, { machine: "m2", remove: ["disk"] });
  expect(await recordOf(world, "m2")).not.toHaveProperty("labels");
});

test("a service runs where the labels of its constraints are, and nowhere else", async () => {
  const world = await shopOn(["m1", "m2"]);
  const wanted = service("fast", 1, 'replicas = 2\nconstraints = { labels = { disk = "ssd" } }');
  expect(await deploy(world, wanted)).toMatchObject({
    refusals: [{ code: "no_machine_fits", message: expect.stringContaining("m2: has no label disk=ssd") }],
  });
  await apply(world, machineLabel, { machine: "m2", labels: { disk: "ssd" } });
  expect(await deploy(world, wanted)).toMatchObject({ state: "done" });
  expect(await machinesOf(world, "fast")).toEqual(["m2", "m2"]);
  // The label goes: what runs stays, until its next change.
  await apply(world, machineLabel, { machine: "m2", remove: ["disk"] });
  expect(await machinesOf(world, "fast")).toEqual(["m2", "m2"]);
});

test("instances spread over zones before machines", async () => {
  const world = await shopOn(["m1", "m2", "m3"]);
  for (const [machine, az] of [
    ["m1", "a"],
    ["m2", "a"],
    ["m3", "b"],
  ] as const)
    await apply(world, machineLabel, { machine, az });
  await deploy(world, service("wide", 1, 'replicas = 4\nspread = "az"'));
  expect((await machinesOf(world, "wide")).sort()).toEqual(["m1", "m2", "m3", "m3"]);
});

test.each([
  [{ machine: "m1", labels: { Disk: "ssd" } }, "labels"],
  [{ machine: "m1", labels: { disk: "" } }, "labels.disk"],
  [{ machine: "m1", labels: { disk: "a b" } }, "labels.disk"],
  [{ machine: "m1", labels: { __proto__x: "a" } }, "labels"],
  [{ machine: "m1", remove: ["-x"] }, "remove"],
  [{ machine: "m1", az: "A" }, "az"],
  [{ machine: "m1", labels: { a: "1" }, remove: ["a"] }, "label a"],
])("%j is refused, naming %s", async (input, field) => {
  const world = await shopOn(["m1"]);
  expect(await apply(world, machineLabel, input)).toMatchObject({
    refusals: [{ code: "invalid_input", message: expect.stringContaining(field) }],
  });
  expect(await recordOf(world, "m1")).not.toHaveProperty("labels");
});

test("no machine has more than 32 labels", async () => {
  const world = await shopOn(["m1"]);
  const labels = (from: number, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${from + index}`, "x"]));
  expect(await apply(world, machineLabel, { machine: "m1", labels: labels(0, 32) })).toMatchObject({
    state: "done",
  });
  expect(await apply(world, machineLabel, { machine: "m1", labels: labels(32, 1) })).toMatchObject({
    refusals: [{ code: "invalid_input" }],
  });
});

test("under every fault", { timeout: 200_000 }, async () => {
  const scenario = {
    primitive: machineLabel,
    input: { machine: "m1", labels: { disk: "ssd" } },
    world: () => shopOn(["m1", "m2"]),
    inspect,
  };
  expect(serious(await checkPrimitive(scenario, { every: 3 }))).toEqual([]);
});
