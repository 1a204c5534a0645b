import { describe, expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, headOf, inspect, type World, worldWithShop } from "../testing/scenarios/change.ts";
import { volumeStandbyAdd } from "../volume-standby-add/index.ts";
import { volumeStandbySync } from "../volume-standby-sync/index.ts";
import { migrate } from "./index.ts";

const volume = { namespace: "prod", volume: "data" };
const input = (more: object = {}) => ({ namespace: "prod", service: "db", to: "m3", ...more });
const accepted = { fromStandby: true, acceptLoss: ["prod/data"] };
const copies = (world: World, machine: string) => [...world.memory.machine(machine).volumes.values()];

/** The shop's database on m2, with a standby on m3 that has received everything. */
async function followed(machines = ["m1", "m2", "m3"]): Promise<World> {
  const world = await worldWithShop(machines);
  await apply(world, migrate, input({ to: "m2" }));
  await apply(world, volumeStandbyAdd, { ...volume, machine: "m3" });
  expect(await apply(world, volumeStandbySync, { ...volume, machine: "m3" })).toMatchObject({
    changed: true,
  });
  return world;
}
/** m2 without power. */
async function cut(machines?: string[]): Promise<World> {
  const world = await followed(machines);
  const dead = world.memory.machine("m2");
  dead.reachable = false;
  for (const instance of dead.instances.values()) instance.state = "exited";
  return world;
}

test("a migration to the standby's machine sends differences only, and leaves the second copy where it came from", async () => {
  const world = await followed();
  const [standby] = copies(world, "m3");
  const had = standby?.snapshots.size ?? 0;
  expect(await apply(world, migrate, input())).toMatchObject({ state: "done", owed: [] });
  const [head] = (await headOf(world)).volumes;
  expect(head).toMatchObject({ machine: "m3", spec: { standby: { machines: ["m2"] } } });
  const [active] = copies(world, "m3");
  expect([active?.state, active?.standby, had]).toEqual(["active", undefined, 1]);
  expect(copies(world, "m3")).toHaveLength(1);
  expect(await apply(world, volumeStandbySync, { ...volume, machine: "m2" })).toMatchObject({
    output: { full: false },
  });
});

describe("from a standby", () => {
  test("the copy becomes the volume in one commit, with what it held", async () => {
    const world = await cut();
    const [copy] = copies(world, "m3");
    const held = copy?.content;
    const outcome = await apply(world, migrate, input(accepted));
    expect(outcome).toMatchObject({
      ...{ state: "done", owed: [] },
      output: { volumes: [{ name: "data", action: "takeover", from: "m2", holds: expect.any(String) }] },
    });
    const head = await headOf(world);
    expect(head.volumes).toMatchObject([{ id: copy?.id, machine: "m3", moved: { from: "m2" } }]);
    expect(head.volumes[0]?.spec.standby).toBeUndefined();
    expect(head.instances.find(({ service }) => service === "db")?.machine).toBe("m3");
    expect(copies(world, "m3")[0]?.content.slice(0, -1)).toEqual(held);
    expect(await apply(world, migrate, input(accepted))).toMatchObject({ changed: false });
  });

  test("a loss is confirmed by name, and the plan says up to when the copy goes", async () => {
    const world = await cut();
    const before = await inspect(world);
    for (const acceptLoss of [[], ["prod/other"]])
      expect(await apply(world, migrate, input({ fromStandby: true, acceptLoss }))).toMatchObject({
        refusals: [
          { code: "data_loss_unconfirmed", details: { volume: "prod/data", holds: expect.any(String) } },
        ],
      });
    expect(await inspect(world)).toEqual(before);
  });

  test("it is refused while the machine lives, without a copy, and without volumes", async () => {
    const alive = await followed();
    expect(await apply(alive, migrate, input(accepted))).toMatchObject({
      refusals: [{ code: "machine_answers" }],
    });
    const world = await cut();
    expect(await apply(world, migrate, input({ ...accepted, to: "m1" }))).toMatchObject({
      refusals: [{ code: "no_such_standby" }],
    });
    expect(await apply(world, migrate, input({ ...accepted, service: "web" }))).toMatchObject({
      refusals: [{ code: "no_such_standby" }],
    });
    world.memory.machine("m3").reachable = false;
    expect(await apply(world, migrate, input(accepted))).toMatchObject({
      refusals: [{ code: "machine_unreachable" }],
    });
  });

  test("under every fault: one writer, and the copy is a standby or the volume", {
    timeout: 400_000,
  }, async () => {
    const scenario = { primitive: migrate, input: input(accepted), world: cut, inspect };
    expect(await checkPrimitive(scenario, { every: 6 })).toEqual([]);
  });
});
