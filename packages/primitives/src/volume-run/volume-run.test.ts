import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import {
  apply,
  deploy,
  headOf,
  inspect,
  service,
  type World,
  worldWithShop,
} from "../testing/scenarios/change.ts";
import { volumeRun } from "./index.ts";

const input = { namespace: "prod", service: "db", volumesOf: "db", argv: ["fsck", "/data"], stop: true };
const running = async ({ ports }: World) => (await ports.store.facts.list("running")).map(({ key }) => key);

test("the service stands still while the program has its volume, and the same instance runs afterwards", async () => {
  const world = await worldWithShop();
  const before = [await headOf(world), await inspect(world)];
  expect(await apply(world, volumeRun, input, "preview")).toMatchObject({
    summary: {
      kind: "volume-run",
      volumes: ["data"],
      stops: [expect.stringMatching(/^prod\.db\.1\./)],
      limitMs: 3_600_000,
    },
    warnings: [expect.stringContaining("wait at the gateways for at most 1m")],
  });
  expect(await apply(world, volumeRun, input)).toMatchObject({
    state: "done",
    owed: [],
    output: { instance: expect.stringMatching(/^prod\.db\.once\.[a-z0-9]{8}$/), warnings: [] },
  });
  const { machine, id } = (await headOf(world)).instances.find((one) => one.service === "db") ?? {
    machine: "",
    id: "",
  };
  const { effects } = world.memory.machine(machine);
  const at = (what: RegExp) => effects.findLastIndex((effect) => what.test(effect));
  const order = [
    at(new RegExp(`^stop ${id}`)),
    at(/^start prod\.db\.once/),
    at(/^remove prod\.db\.once/),
    at(new RegExp(`^resume ${id}`)),
  ];
  expect(order).not.toContain(-1);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(await running(world)).toEqual([]);
  expect(JSON.stringify([await headOf(world), await inspect(world)])).toBe(
    JSON.stringify(before).replace("holds prod.db.1 ", "holds prod.db.1,prod.db.once "),
  );
});

test("a program that fails is undone: the service runs again, and the error has the exit code", async () => {
  const world = await worldWithShop();
  const failing = `${service("web", 1)}${service("db", 1, 'volumes = { data = "/data" }')}[volumes.data]\nquota = "1G"\n${service("tool", 1).replace('V = "1"', 'FAIL = "job"')}`;
  await deploy(world, failing);
  const before = await inspect(world);
  expect(await apply(world, volumeRun, { ...input, service: "tool" })).toMatchObject({
    state: "failed",
    error: { code: "job_failed", details: { exitCode: 3 } },
  });
  expect(await running(world)).toEqual([]);
  expect(JSON.stringify(await inspect(world)).replace(",prod.tool.once", "")).toBe(JSON.stringify(before));
  // Of a program that a stream runs, the exit code is the caller's matter.
  expect(await apply(world, volumeRun, { ...input, service: "tool", interactive: true })).toMatchObject({
    ...{ state: "done", owed: [] },
  });
});

test("a stopped service needs no stop", async () => {
  const world = await worldWithShop();
  const { stop } = await import("../services/index.ts");
  await apply(world, stop, { namespace: "prod", services: ["db"] });
  expect(await apply(world, volumeRun, { ...input, stop: false })).toMatchObject({ state: "done", owed: [] });
  expect((await headOf(world)).services.db?.stopped).toBe(true);
});

test.each([
  ["volume_in_use", { stop: false }],
  ["no_such_volume", { volumesOf: "web" }],
  ["no_such_service", { volumesOf: "bd" }],
  ["no_such_service", { service: "bd" }],
  ["no_such_namespace", { namespace: "prdo" }],
  ["invalid_input", { limitMs: 0 }],
])("refuses %s for %j, and changes nothing", async (code, wrong) => {
  const world = await worldWithShop();
  const before = await inspect(world);
  expect(await apply(world, volumeRun, { ...input, ...wrong })).toMatchObject({
    kind: "refused",
    refusals: [{ code }],
  });
  expect(await inspect(world)).toEqual(before);
});

test("the machine of the volume has to answer", async () => {
  const world = await worldWithShop();
  const { machine = "" } = (await headOf(world)).volumes[0] ?? {};
  world.memory.machine(machine).reachable = false;
  expect(await apply(world, volumeRun, input)).toMatchObject({
    kind: "refused",
    refusals: [{ code: "machine_unreachable", machine }],
  });
});

test("after every fault the service runs, and nothing of the run is left", { timeout: 400_000 }, async () => {
  const violations = await checkPrimitive(
    {
      primitive: volumeRun,
      input,
      world: () => worldWithShop(["m1", "m2"]),
      inspect: async (made) => ({
        state: JSON.parse(JSON.stringify(await inspect(made)).replaceAll(",prod.db.once", "")),
        running: await running(made),
      }),
    },
    { every: 9 },
  );
  expect(violations).toEqual([]);
});
