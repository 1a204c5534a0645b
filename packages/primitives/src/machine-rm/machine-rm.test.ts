import { PloyzError } from "@ployz/errors";
import { describe, expect, test } from "vitest";
import { machineDrain } from "../machine-drain/index.ts";
import { migrate } from "../migrate/index.ts";
import type { FactKey } from "../model/facts.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { deploy, headOf, service } from "../testing/scenarios/change.ts";
import { apply, inspect, serious, shopOn, stateOf, type World } from "../testing/scenarios/membership.ts";
import { volumeStandbyAdd } from "../volume-standby-add/index.ts";
import { volumeStandbySync } from "../volume-standby-sync/index.ts";
import { machineRm } from "./index.ts";

const on = async (world: World) => (await headOf(world)).instances.map(({ machine }) => machine);
const factOf = async ({ ports }: World, key: FactKey) => (await ports.store.facts.get(key))?.value;

/** All of the shop on m2. */
async function onM2(machines: readonly string[] = ["m1", "m2", "m3"]): Promise<World> {
  const world = await shopOn(machines);
  for (const name of ["db", "web"])
    await apply(world, migrate, { namespace: "prod", service: name, to: "m2" });
  expect(new Set(await on(world))).toEqual(new Set(["m2"]));
  await world.ports.store.facts.put("subnet.2", { machine: "m2", operation: "" }, 0);
  return world;
}

describe("machine rm", () => {
  test("moves its workloads and their data, tells the machine to leave, and revokes its keys", async () => {
    const world = await onM2();
    const outcome = await apply(world, machineRm, { machine: "m2" });
    expect(outcome).toMatchObject({
      state: "done",
      owed: [],
      output: {
        cleaned: true,
        kept: [expect.stringMatching(/^prod\.data\./)],
        namespaces: [
          {
            namespace: "prod",
            instances: [
              { service: "db", slot: 1, to: expect.stringMatching(/m1|m3/) },
              { service: "web", slot: 1, to: expect.stringMatching(/m1|m3/) },
            ],
            volumes: [{ name: "data", to: expect.stringMatching(/m1|m3/) }],
          },
        ],
      },
    });
    expect(await on(world)).not.toContain("m2");
    const gone = world.memory.machine("m2");
    expect([...gone.instances.keys(), ...gone.reservations.keys()]).toEqual([]);
    expect(await factOf(world, "machine.m2")).toBeUndefined();
    expect(await factOf(world, "subnet.2")).toBeUndefined();
    expect(await factOf(world, "removed.m2")).toMatchObject({ id: "m2", index: 2, forced: false });
    expect(await apply(world, machineRm, { machine: "m2" })).toMatchObject({ state: "done", changed: false });
  });

  test("an answer that is lost is no failure: it is cut off, and the result says what to look at", async () => {
    const world = await onM2();
    const { call } = world.memory;
    const machines: typeof world.ports.machines = {
      call: (machine, command, args, options) =>
        command === "machine.leave"
          ? Promise.reject(new PloyzError({ code: "machine_unreachable", message: "gone" }))
          : call(machine, command, args, options),
    };
    const deaf = { ...world, ports: { ...world.ports, machines } };
    expect(await apply(deaf, machineRm, { machine: "m2" })).toMatchObject({
      state: "done",
      output: { cleaned: false, warnings: [expect.stringContaining("ployzctl mesh leave")] },
    });
    expect(await stateOf(world, "m2")).toBeUndefined();
  });

  test("an immovable workload is refused with its reason, and nothing is touched", async () => {
    const world = await onM2();
    await deploy(world, service("here", 1, 'constraints = { machines = ["m2"] }'), "other");
    const before = await inspect(world);
    expect(await apply(world, machineRm, { machine: "m2" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "no_machine_fits", message: expect.stringContaining("other: services.here") }],
    });
    expect(await inspect(world)).toEqual(before);
  });

  test("a failure on the way restores the machine's state; finished moves stay", async () => {
    const world = await onM2();
    const { call } = world.memory;
    // A deploy that began before puts something there while the machine is emptied.
    const append = async () => {
      const head = await headOf(world);
      const instances = head.instances.map((one) => ({ ...one, machine: "m2" }));
      const late = { ...head, namespace: "late", operation: "01LATE", instances, routes: [], volumes: [] };
      await world.ports.store.commits.append(late, 0);
    };
    const machines: typeof world.ports.machines = {
      async call(machine, command, args, options) {
        if (command === "publish.await") await append();
        return call(machine, command, args, options);
      },
    };
    const racing = { ...world, ports: { ...world.ports, machines } };
    const outcome = await apply(racing, machineRm, { machine: "m2" });
    expect(outcome).toMatchObject({ state: "failed", error: { code: "machine_not_empty" } });
    expect(await stateOf(world, "m2")).toBe("active");
    expect(await on(world)).not.toContain("m2");
  });

  test("works on a machine that drains already, and leaves it draining when it fails", async () => {
    const world = await onM2();
    await apply(world, machineDrain, { machine: "m2", migrate: true });
    expect(await apply(world, machineRm, { machine: "m2" })).toMatchObject({ state: "done" });
  });

  test.each([
    ["machine_unknown", "m9", {}],
    ["machine_answers", "m2", { force: true }],
    ["invalid_input", "m2", { lose: ["prod/data"] }],
    ["invalid_input", "m2", { force: true, lose: ["prod"] }],
  ])("%s", async (code, machine, more) => {
    expect(await apply(await onM2(), machineRm, { machine, ...more })).toMatchObject({
      refusals: [{ code }],
    });
  });

  test("the last machine, one that does not answer, and the one with the store are refused", async () => {
    expect(await apply(await shopOn(["m1"]), machineRm, { machine: "m1" })).toMatchObject({
      refusals: [{ code: "last_machine", hint: expect.stringContaining("mesh destroy") }],
    });
    const world = await onM2();
    world.memory.machine("m2").reachable = false;
    expect(await apply(world, machineRm, { machine: "m2" })).toMatchObject({
      refusals: [{ code: "machine_unreachable", hint: expect.stringContaining("--force") }],
    });
    const { facts } = world.ports.store;
    const m3 = await facts.get("machine.m3");
    if (m3 === undefined) throw new Error("m3 is a member");
    await facts.put("machine.m3", { ...m3.value, store: true }, m3.revision);
    expect(await apply(world, machineRm, { machine: "m3" })).toMatchObject({
      refusals: [{ code: "holds_the_store" }],
    });
    // The daemon says where it will be, in a preview: no such thing makes a removal of it.
    const storeMoves = { from: ["m3"], to: ["m1"] };
    expect(await apply(world, machineRm, { machine: "m3", storeMoves })).toMatchObject({
      ...{ state: "failed", error: { code: "holds_the_store" } },
    });
    expect(await stateOf(world, "m3")).toBe("active");
  });
});

describe("of a machine that is gone for ever", () => {
  const dead = async (): Promise<World> => {
    const world = await onM2();
    world.memory.machine("m2").reachable = false;
    return world;
  };
  const force = (...lose: string[]) => ({ machine: "m2", force: true, ...(lose.length > 0 && { lose }) });

  test("data is lost only when it is named, and the plan names it", async () => {
    const world = await dead();
    expect(await apply(world, machineRm, force())).toMatchObject({
      refusals: [{ code: "data_loss_unconfirmed", hint: expect.stringContaining("--lose prod/data") }],
    });
    expect(await apply(world, machineRm, force("prod/data"))).toMatchObject({
      state: "done",
      owed: [],
      output: {
        forced: true,
        namespaces: [{ volumes: [{ name: "data" }], suspended: ["db"], instances: [{ service: "db" }, {}] }],
      },
    });
    expect(await on(world)).toHaveLength(1);
    expect((await headOf(world)).services.db?.suspended).toBe(true);
    expect(await factOf(world, "removed.m2")).toMatchObject({ forced: true });
  });
});

test("by force from a standby: the machine is removed, and the volume continues with what its standby holds", async () => {
  const world = await onM2();
  const volume = { namespace: "prod", volume: "data", machine: "m3" };
  await apply(world, volumeStandbyAdd, volume);
  await apply(world, volumeStandbySync, volume);
  const dead = world.memory.machine("m2");
  dead.reachable = false;
  for (const instance of dead.instances.values()) instance.state = "exited";
  const force = { machine: "m2", force: true, fromStandby: true };
  expect(await apply(world, machineRm, force)).toMatchObject({
    refusals: [{ code: "data_loss_unconfirmed", message: expect.stringContaining("standby on m3") }],
  });
  expect(await apply(world, machineRm, { ...force, lose: ["prod/data"] })).toMatchObject({
    ...{ state: "done", owed: [] },
    output: { namespaces: [{ volumes: [{ name: "data", to: "m3" }], suspended: [] }] },
  });
  const head = await headOf(world);
  expect(head.volumes).toMatchObject([{ machine: "m3", moved: { from: "m2" } }]);
  expect(head.instances.find(({ service: name }) => name === "db")?.machine).toBe("m3");
});

describe("under every fault", () => {
  /** Wherever things are: what has moved stays moved when the removal itself is taken back. Retired copies are history. */
  const inspectAnywhere = async (world: World) => {
    const found = (await inspect(world)) as { readonly copies: readonly string[] };
    const live = found.copies.filter((copy) => !copy.includes(" retired "));
    return { ...found, copies: live.map((copy) => copy.replace(/ on \S+| with .*/g, "")) };
  };
  const scenario = (input: object, world: () => Promise<World>) => ({
    primitive: machineRm,
    input,
    world,
    inspect: inspectAnywhere,
  });

  test("it ends as a member with its state, or gone", { timeout: 400_000 }, async () => {
    const world = async () => {
      const made = await onM2(["m1", "m2"]);
      await deploy(made, service("api", 1), "other");
      return made;
    };
    const found = await checkPrimitive(scenario({ machine: "m2" }, world), { every: 15 });
    expect(serious(found)).toEqual([]);
  });

  test("by force, nothing is given up unless it is gone", { timeout: 400_000 }, async () => {
    const world = async () => {
      const made = await onM2(["m1", "m2"]);
      made.memory.machine("m2").reachable = false;
      return made;
    };
    const input = { machine: "m2", force: true, lose: ["prod/data"] };
    const found = await checkPrimitive(scenario(input, world), { every: 15 });
    expect(serious(found)).toEqual([]);
  });
});
