import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, headOf, inspect, type World, worldWithShop } from "../testing/scenarios/change.ts";
import { volumeImport } from "./index.ts";

const FILE = {
  exported: { namespace: "prod", volume: "data", snapshot: "01m849jkmjkjnhp441c7vf0z2q", guid: "77" },
  upload: { machine: "m1", id: "upload-1" },
};
const input = { namespace: "stats", volume: "copy", machine: "m2", quotaBytes: 2 ** 20, ...FILE };

/** A file that is sent to m1 looks like a copy there, to who fetches it. */
async function worldWithFile(
  earlier: readonly { readonly name: string; readonly guid: string }[] = [],
): Promise<World> {
  const world = await worldWithShop(["m1", "m2"]);
  const snapshot = { guid: FILE.exported.guid, content: ["written"], createdAt: "2026-01-01T00:00:00.000Z" };
  world.memory.machine("m1").volumes.set(FILE.upload.id, {
    ...{ id: FILE.upload.id, namespace: "upload", name: "file", state: "active", spec: { scope: "single" } },
    ...{
      guid: "76",
      operation: "",
      sealedBy: undefined,
      retiredAt: undefined,
      wasRetired: false,
      standby: undefined,
      content: [],
    },
    snapshots: new Map(
      [...earlier, { name: FILE.exported.snapshot, guid: FILE.exported.guid }].map(
        ({ name, guid }, at, all) => [
          name,
          { ...snapshot, guid, content: at === all.length - 1 ? ["written"] : [name] },
        ],
      ),
    ),
    origin: undefined,
  });
  return world;
}

test.each(["m1", "m2"])("a file becomes a volume, on %s", async (machine) => {
  const world = await worldWithFile();
  expect(await apply(world, volumeImport, { ...input, machine })).toMatchObject({ state: "done", owed: [] });
  const [volume] = (await headOf(world, "stats")).volumes;
  expect(volume).toMatchObject({ name: "copy", machine, spec: { scope: "single", quotaBytes: 2 ** 20 } });
  expect(world.memory.machine(machine).volumes.get(volume?.id ?? "")?.content).toEqual(["written"]);
  // The same again is done already; another of that name is in the way.
  expect(await apply(world, volumeImport, { ...input, machine })).toMatchObject({ changed: false });
  // Snapshots that operators have named may have the same name.
  const other = { ...FILE, exported: { ...FILE.exported, guid: "78" } };
  expect(await apply(world, volumeImport, { ...input, ...other, machine })).toMatchObject({
    refusals: [{ code: "volume_exists" }],
  });
});

test("several files become one volume, with the snapshots of all of them", async () => {
  const earlier = [
    { name: "monday", guid: "70" },
    { name: "tuesday", guid: "71" },
  ];
  const world = await worldWithFile(earlier);
  const several = { ...input, exported: { ...FILE.exported, earlier } };
  expect(await apply(world, volumeImport, several)).toMatchObject({ state: "done", owed: [] });
  const [volume] = (await headOf(world, "stats")).volumes;
  const made = world.memory.machine("m2").volumes.get(volume?.id ?? "");
  expect(made?.content).toEqual(["written"]);
  expect([...(made?.snapshots.keys() ?? [])]).toEqual(["monday", "tuesday", FILE.exported.snapshot]);
  // One that is missing in the upload leaves nothing.
  const before = await inspect(world);
  const gap = [...earlier, { name: "wednesday", guid: "72" }];
  const wrong = { ...several, volume: "other", exported: { ...several.exported, earlier: gap } };
  expect(await apply(world, volumeImport, wrong)).toMatchObject({ state: "failed" });
  expect(await inspect(world)).toEqual(before);
});

test("a file that ends too early leaves nothing", async () => {
  const world = await worldWithFile();
  const before = await inspect(world);
  const wrong = { ...input, exported: { ...FILE.exported, guid: "78" } };
  expect(await apply(world, volumeImport, wrong)).toMatchObject({ state: "failed" });
  expect(await inspect(world)).toEqual(before);
});

test("under every fault", { timeout: 400_000 }, async () => {
  const scenario = { primitive: volumeImport, input, world: () => worldWithFile(), inspect };
  expect(await checkPrimitive(scenario, { every: 3 })).toEqual([]);
});
