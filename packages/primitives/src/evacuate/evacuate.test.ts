import { describe, expect, test } from "vitest";
import { migrate } from "../migrate/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import {
  apply,
  deploy,
  emptyWorld,
  headOf,
  inspect,
  service,
  shop,
  type World,
  worldWithShop,
} from "../testing/scenarios/change.ts";
import { evacuate } from "./index.ts";

const input = (machine: string, more: object = {}) => ({ namespace: "prod", machine, ...more });
const where = async (world: World, name: string) =>
  (await headOf(world)).instances.filter((one) => one.service === name).map(({ machine }) => machine);
const volume = async (world: World) => (await headOf(world)).volumes[0];

/** The shop with its database on m1. */
async function onM1(machines: readonly string[] = ["m1", "m2", "m3"]): Promise<World> {
  const world = await worldWithShop(machines);
  await apply(world, migrate, { namespace: "prod", service: "db", to: "m1" });
  await apply(world, migrate, { namespace: "prod", service: "web", to: "m1" });
  return world;
}

describe("evacuate", () => {
  test("what has no data starts elsewhere, and the volume moves with what runs on it", async () => {
    const world = await onM1();
    const before = await volume(world);
    expect(await apply(world, evacuate, input("m1"))).toMatchObject({
      state: "done",
      changed: true,
      owed: [],
    });
    expect((await headOf(world)).instances.map(({ machine }) => machine)).not.toContain("m1");
    const after = await volume(world);
    expect(after).toMatchObject({ id: before?.id, moved: { from: "m1" } });
    expect(await where(world, "db")).toEqual([after?.machine]);
    expect([...world.memory.machine("m1").instances.keys()]).toEqual([]);
    expect([...world.memory.machine("m1").volumes.values()].map(({ state }) => state)).toEqual(["retired"]);
  });

  test("again, and of a machine with nothing on it, changes nothing", async () => {
    const world = await onM1();
    expect(await apply(world, evacuate, input("m3"))).toMatchObject({ state: "done", changed: false });
    await apply(world, evacuate, input("m1"));
    expect(await apply(world, evacuate, input("m1"))).toMatchObject({ state: "done", changed: false });
  });

  test("a service of every machine ends there and stays on the others", async () => {
    const world = await emptyWorld();
    await deploy(world, service("agent", 1, 'placement = "every-machine"'));
    expect(await apply(world, evacuate, input("m2"))).toMatchObject({ state: "done" });
    expect((await where(world, "agent")).sort()).toEqual(["m1", "m3"]);
  });

  test("a volume that fits nowhere is refused, with the reason of each machine", async () => {
    const world = await onM1();
    world.memory.machine("m2").storage = false;
    world.memory.machine("m3").draining = true;
    const before = await inspect(world);
    expect(await apply(world, evacuate, input("m1"))).toMatchObject({
      kind: "refused",
      refusals: [
        {
          code: "no_machine_fits",
          message:
            "volumes.data: fits nowhere (m1: it is being drained; m2: has no ZFS for volumes (storage.zfs_root); m3: draining)",
        },
        {},
      ],
    });
    expect(await inspect(world)).toEqual(before);
  });

  describe("of a machine that is lost", () => {
    const dead = async () => {
      const world = await onM1();
      world.memory.machine("m1").reachable = false;
      return world;
    };

    test("data is given up only when it is named", async () => {
      expect(await apply(await dead(), evacuate, input("m1", { lost: true }))).toMatchObject({
        kind: "refused",
        refusals: [{ code: "data_loss_unconfirmed", details: { volume: "prod/data" } }],
      });
    });

    test("what has no data starts elsewhere; what has lost it stays, suspended, until it is deployed again", async () => {
      const world = await dead();
      const lost = input("m1", { lost: true, lose: ["data"] });
      expect(await apply(world, evacuate, lost)).toMatchObject({ state: "done", owed: [] });
      const head = await headOf(world);
      expect(await where(world, "web")).not.toContain("m1");
      expect(await where(world, "db")).toEqual([]);
      expect(head.services.db?.suspended).toBe(true);
      expect(head.volumes).toEqual([]);
      // A change of something else does not wake it.
      await apply(world, evacuate, input("m3"));
      expect(await where(world, "db")).toEqual([]);
      expect(await deploy(world, shop(1))).toMatchObject({ state: "done" });
      expect(await where(world, "db")).toHaveLength(1);
      expect((await headOf(world)).services.db?.suspended).toBeUndefined();
    });

    test("a machine that answers is not lost", async () => {
      expect(await apply(await onM1(), evacuate, input("m1", { lost: true, lose: ["data"] }))).toMatchObject({
        kind: "refused",
        refusals: [{ code: "machine_answers" }],
      });
    });
  });

  test.each([
    ["no_such_namespace", { namespace: "nope", machine: "m1" }],
    ["machine_unknown", { namespace: "prod", machine: "m9" }],
    ["invalid_input", { namespace: "prod", machine: "../m1" }],
  ])("%s", async (code, wrong) => {
    expect(await apply(await onM1(), evacuate, wrong)).toMatchObject({
      kind: "refused",
      refusals: [{ code }],
    });
  });
});

test("under every fault: one writer, and the data is where the commit says", {
  timeout: 400_000,
}, async () => {
  const found = await checkPrimitive(
    { primitive: evacuate, input: input("m1"), world: () => onM1(["m1", "m2"]), inspect },
    { every: 7 },
  );
  expect(found).toEqual([]);
});
