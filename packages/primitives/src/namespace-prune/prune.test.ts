import { describe, expect, it } from "vitest";
import {
  apply,
  deploy,
  emptyWorld,
  inspect,
  shop,
  type World,
  worldWithShop,
} from "../testing/scenarios/change.ts";
import { namespacePrune } from "./index.ts";

/** Machines that run a shop, and a store that does not know it: one restored from before its first deploy. */
async function worldThatForgot(): Promise<World> {
  const before = await worldWithShop();
  const world = await emptyWorld();
  for (const machine of world.memory.all) {
    const then = before.memory.machine(machine.id);
    for (const [id, instance] of then.instances) machine.instances.set(id, instance);
    for (const [id, address] of then.reservations) machine.reservations.set(id, address);
    for (const [id, volume] of then.volumes) machine.volumes.set(id, volume);
  }
  return world;
}

const instances = ({ memory }: World) => memory.all.flatMap((machine) => [...machine.instances.keys()]);
const volumes = ({ memory }: World) =>
  memory.all.flatMap((machine) => [...machine.volumes.values()].map(({ state }) => state));
const prod = { namespace: "prod" };

describe("strays that a restored store does not know", () => {
  it("are shown by a preview, which changes nothing", async () => {
    const world = await worldThatForgot();
    const before = await inspect(world);
    const plan = await apply(world, namespacePrune, prod, "preview");
    expect(plan).toMatchObject({
      kind: "plan",
      changes: true,
      summary: { instances: [{ id: expect.stringMatching(/^prod\./) }, {}], volumes: [{ name: "data" }] },
    });
    expect(await inspect(world)).toEqual(before);
  });

  it("are removed, and their volumes are kept, retired", async () => {
    const world = await worldThatForgot();
    expect(instances(world)).toHaveLength(2);
    expect(await apply(world, namespacePrune, prod)).toMatchObject({
      state: "done",
      changed: true,
      owed: [],
    });
    expect(instances(world)).toEqual([]);
    expect(volumes(world)).toEqual(["retired"]);
    expect(await apply(world, namespacePrune, prod)).toMatchObject({
      kind: "refused",
      refusals: [{ code: "no_such_namespace" }],
    });
    expect(await deploy(world, shop(1))).toMatchObject({ state: "done" });
  });

  it("are all that goes: what a commit names, and other namespaces, stay", async () => {
    const world = await worldWithShop();
    const before = await inspect(world);
    expect(await apply(world, namespacePrune, prod)).toMatchObject({ changed: false });
    const [one] = world.memory.all.flatMap((machine) => [...machine.instances.values()]);
    if (one === undefined) throw new Error("the shop runs nothing");
    for (const namespace of ["prod", "other"]) {
      const id = `${namespace}.left.0`;
      world.memory.machine("m1").instances.set(id, { ...one, start: { ...one.start, id, namespace } });
    }
    expect(await apply(world, namespacePrune, prod)).toMatchObject({ changed: true, owed: [] });
    expect(instances(world)).not.toContain("prod.left.0");
    expect(instances(world)).toContain("other.left.0");
    world.memory.machine("m1").instances.delete("other.left.0");
    expect(await inspect(world)).toEqual(before);
  });
});
