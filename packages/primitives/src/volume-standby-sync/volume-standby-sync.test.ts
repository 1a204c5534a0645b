import { expect, test } from "vitest";
import { evacuate } from "../evacuate/index.ts";
import type { Json } from "../model/json.ts";
import { standbyOf } from "../model/standby.ts";
import { restart } from "../services/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import {
  apply,
  deploy,
  headOf,
  inspect,
  shop,
  type World,
  worldWithShop,
} from "../testing/scenarios/change.ts";
import { volumeStandbyAdd } from "../volume-standby-add/index.ts";
import { volumeStandbyRm } from "../volume-standby-rm/index.ts";
import { volumeStandbySync } from "./index.ts";

const volume = { namespace: "prod", volume: "data" };
const other = (home: string) => (home === "m1" ? "m2" : "m1");

async function added(): Promise<World & { readonly home: string; readonly to: string }> {
  const world = await worldWithShop(["m1", "m2"]);
  const home = (await headOf(world)).volumes[0]?.machine ?? "";
  const to = other(home);
  expect(await apply(world, volumeStandbyAdd, { ...volume, machine: to })).toMatchObject({ changed: true });
  return Object.assign(world, { home, to });
}
const copies = (world: World, machine: string) => [...world.memory.machine(machine).volumes.values()];
const standbySnapshots = (world: World, machine: string) =>
  copies(world, machine).flatMap(({ snapshots }) => [...snapshots.keys()].filter((name) => standbyOf(name)));
const sync = (world: World, machine: string) => apply(world, volumeStandbySync, { ...volume, machine });

test("all of it is sent first, then differences; each side keeps one snapshot", async () => {
  const world = await added();
  const { home, to } = world;
  expect(await sync(world, to)).toMatchObject({ state: "done", owed: [], output: { full: true } });
  expect(copies(world, to)).toMatchObject([{ state: "retired", standby: expect.any(String) }]);
  await apply(world, restart, { namespace: "prod", services: ["db"] });
  expect(await sync(world, to)).toMatchObject({ state: "done", output: { full: false } });
  const [copy] = copies(world, to);
  expect(copy?.content).toEqual(copies(world, home)[0]?.content);
  expect([standbySnapshots(world, home).length, standbySnapshots(world, to).length]).toEqual([1, 1]);
  expect((await world.ports.store.facts.get(`standby.prod.data.${to}`))?.value).toMatchObject({
    id: copy?.id,
    source: home,
    snapshot: standbySnapshots(world, home)[0],
  });
});

test("a diverged copy is set aside, and all of the volume is sent again", async () => {
  const world = await added();
  await sync(world, world.to);
  const [copy] = copies(world, world.to);
  if (copy !== undefined) copy.content = ["written by hand"];
  expect(await sync(world, world.to)).toMatchObject({ state: "done", output: { full: true } });
  expect(copies(world, world.to).map(({ content }) => content)).toContainEqual(["written by hand"]);
});

test("a standby that is given up is a retired copy, and leaves no snapshot on the volume", async () => {
  const world = await added();
  await sync(world, world.to);
  expect(await apply(world, volumeStandbyRm, volume)).toMatchObject({ state: "done", owed: [] });
  expect(copies(world, world.to)).toMatchObject([{ state: "retired", standby: undefined }]);
  expect(standbySnapshots(world, world.home)).toEqual([]);
  expect((await headOf(world)).volumes[0]?.spec.standby).toBeUndefined();
  expect(await sync(world, world.to)).toMatchObject({ refusals: [{ code: "no_such_standby" }] });
});

test("a deploy of a manifest without standbys keeps them, one that names none gives them up", async () => {
  const world = await added();
  await deploy(world, shop(2));
  expect((await headOf(world)).volumes[0]?.spec.standby).toEqual({ machines: [world.to], everyMs: 60_000 });
  await deploy(world, `${shop(2)}standby = { machines = [] }\n`);
  expect((await headOf(world)).volumes[0]?.spec.standby).toEqual({ machines: [], everyMs: 60_000 });
});

test("a machine that is emptied gives up its standbys, and says so", async () => {
  const world = await added();
  await sync(world, world.to);
  const emptied = await apply(world, evacuate, { namespace: "prod", machine: world.to });
  expect(emptied).toMatchObject({
    state: "done",
    output: { warnings: [expect.stringContaining(`loses its standby on ${world.to}`)] },
  });
  expect((await headOf(world)).volumes[0]?.spec.standby).toBeUndefined();
  expect(copies(world, world.to)).toMatchObject([{ state: "retired", standby: undefined }]);
});

test("the summary names the standby as the volume's change, and nothing where nothing changes", async () => {
  const world = await worldWithShop(["m1", "m2"]);
  const to = other((await headOf(world)).volumes[0]?.machine ?? "");
  const asked = { ...volume, machine: to, everyMs: 30_000 };
  const fields = [{ field: "standby", to: { machines: [to], every: "30s" } }];
  expect(await apply(world, volumeStandbyAdd, asked)).toMatchObject({ output: { volumes: [{ fields }] } });
  const again = await apply(world, volumeStandbyAdd, asked);
  expect(again).toMatchObject({ changed: false });
  expect(JSON.stringify(again)).not.toContain('"fields":[{"field":"standby');
});

test.each([
  ["no_such_namespace", () => ({ namespace: "nope", machine: "m2" })],
  ["no_such_volume", () => ({ volume: "nope" })],
  ["machine_unknown", () => ({ machine: "m9" })],
  ["invalid_input", (home: string) => ({ machine: home })],
  ["invalid_input", () => ({ everyMs: 10 })],
])("%s", async (code, wrong) => {
  const world = await worldWithShop(["m1", "m2"]);
  const home = (await headOf(world)).volumes[0]?.machine ?? "";
  const asked = { ...volume, machine: other(home), ...wrong(home) };
  expect(await apply(world, volumeStandbyAdd, asked)).toMatchObject({ refusals: [{ code }] });
});

test("it is refused without storage, and where a machine does not answer", async () => {
  const world = await added();
  world.memory.machine(world.to).storage = false;
  expect(await sync(world, world.to)).toMatchObject({ refusals: [{ code: "no_storage" }] });
  world.memory.machine(world.to).reachable = false;
  expect(await sync(world, world.to)).toMatchObject({
    refusals: [{ code: "machine_unreachable", machine: world.to }],
  });
});

test("under every fault: the volume is as it was, and no snapshots gather", {
  timeout: 400_000,
}, async () => {
  const inspectAll = async (world: World): Promise<Json> => {
    const { copies: all, ...state } = (await inspect(world)) as { copies: readonly string[] };
    const volumes = all
      .filter((copy) => copy.includes(" active "))
      .map((copy) => copy.replace(/ with .*/, ""));
    const kept = ["m1", "m2"].map((machine) => standbySnapshots(world, machine).length);
    // One that has arrived stays when its operation is undone: it is the base of the next.
    return { ...state, volumes, kept: kept.every((count) => count <= 2) ? "few" : kept };
  };
  const world = async () => {
    const made = await added();
    await sync(made, made.to);
    return made;
  };
  const { to: machine } = await added();
  const scenario = {
    primitive: volumeStandbySync,
    input: { ...volume, machine },
    world,
    inspect: inspectAll,
  };
  expect(await checkPrimitive(scenario, { every: 3 })).toEqual([]);
});
