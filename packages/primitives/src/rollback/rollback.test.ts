import { describe, expect, test } from "vitest";
import { migrate } from "../migrate/index.ts";
import type { Json } from "../model/json.ts";
import { namespaceRm } from "../namespace-rm/index.ts";
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
import { volumeCreate } from "../volume-create/index.ts";
import { volumeFork } from "../volume-fork/index.ts";
import { volumePrune } from "../volume-prune/index.ts";
import { volumeRestore } from "../volume-restore/index.ts";
import { volumeRm } from "../volume-rm/index.ts";
import { volumeSnapshot } from "../volume-snapshot/index.ts";
import { rollback } from "./index.ts";

const contentOf = async (world: World, namespace = "prod", name = "data") => {
  const volume = (await headOf(world, namespace)).volumes.find((one) => one.name === name);
  return world.memory.machine(volume?.machine ?? "").volumes.get(volume?.id ?? "")?.content ?? [];
};
const versionOf = async (world: World) => (await headOf(world)).services.db?.spec.env.V;

/** v1, then v2. */
async function worldWithTwo(machines?: readonly string[]): Promise<World> {
  const world = await worldWithShop(machines);
  expect(await deploy(world, shop(2))).toMatchObject({ state: "done" });
  return world;
}

describe("rollback", () => {
  test("goes back to the commit before, on the data as it is", async () => {
    const world = await worldWithTwo();
    expect(await apply(world, rollback, { namespace: "prod" })).toMatchObject({ state: "done", owed: [] });
    expect(await versionOf(world)).toBe("1");
    expect((await headOf(world)).lineage).toMatchObject({ kind: "rollback", from: "prod" });
    expect(await contentOf(world)).toHaveLength(3);
  });

  test("with data goes back to what it held when that commit was replaced, and forward again", async () => {
    const world = await worldWithTwo();
    const [first, second] = await contentOf(world);
    expect(await apply(world, rollback, { namespace: "prod", volumes: "all" })).toMatchObject({
      state: "done",
      owed: [],
    });
    expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    const [, previous] = await world.ports.store.commits.history("prod", 9);
    expect(
      await apply(world, rollback, { namespace: "prod", to: String(previous?.revision), volumes: ["data"] }),
    ).toMatchObject({ state: "done", owed: [] });
    expect(await versionOf(world)).toBe("2");
    // Every write of v2 is there again, also those after the snapshot that the first rollback went back to.
    expect((await contentOf(world)).slice(0, -1)).toEqual([first, second]);
  });

  test("past a migration alone changes nothing, and says why", async () => {
    const world = await worldWithShop(["m1", "m2"]);
    expect(await apply(world, migrate, { service: "db", namespace: "prod", to: "m2" })).toMatchObject({
      changed: true,
    });
    const [, before] = await world.ports.store.commits.history("prod", 9);
    expect(await apply(world, rollback, { namespace: "prod" })).toMatchObject({
      changed: false,
      warnings: [`commit ${before?.revision} has the same services as the last one; --to names another one`],
    });
  });

  test("services first and data later is two commands; each again changes nothing", async () => {
    const world = await worldWithTwo();
    const [first] = await contentOf(world);
    expect(await apply(world, rollback, { namespace: "prod" })).toMatchObject({ changed: true });
    expect(await apply(world, rollback, { namespace: "prod" })).toMatchObject({ changed: false });
    expect(await apply(world, rollback, { namespace: "prod", volumes: "all" })).toMatchObject({
      changed: true,
    });
    expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    expect(await apply(world, rollback, { namespace: "prod", volumes: "all" })).toMatchObject({
      changed: false,
    });
  });

  test("a commit by its operation, or the beginning of it", async () => {
    const world = await worldWithTwo();
    const first = (await world.ports.store.commits.history("prod", 9)).at(-1)?.value.operation ?? "";
    expect(await apply(world, rollback, { namespace: "prod", to: first.toLowerCase() })).toMatchObject({
      state: "done",
    });
    expect(await versionOf(world)).toBe("1");
  });

  test("past a move brings the snapshot from the machine that has it, with its size in the plan", async () => {
    const world = await worldWithTwo();
    const [first] = await contentOf(world);
    const at = (await headOf(world)).volumes[0]?.machine ?? "";
    const to = ["m1", "m2", "m3"].find((machine) => machine !== at) ?? "";
    await apply(world, migrate, { namespace: "prod", service: "db", to });
    const commit = (await world.ports.store.commits.history("prod", 9)).at(-1)?.revision;
    const back = { namespace: "prod", to: String(commit), volumes: "all" };
    expect(await apply(world, rollback, back, "preview")).toMatchObject({
      changes: true,
      summary: {
        volumes: [{ name: "data", action: "copy", machine: to, transferBytes: expect.any(Number) }],
      },
    });
    expect(await apply(world, rollback, back)).toMatchObject({ state: "done", changed: true, owed: [] });
    expect((await headOf(world)).volumes[0]?.machine).toBe(to);
    expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    expect(await apply(world, rollback, back)).toMatchObject({ changed: false });
  });

  test("past a move is refused where no machine has the snapshot any more", async () => {
    const world = await worldWithTwo();
    const at = (await headOf(world)).volumes[0]?.machine ?? "";
    const to = ["m1", "m2", "m3"].find((machine) => machine !== at) ?? "";
    await apply(world, migrate, { namespace: "prod", service: "db", to });
    const commit = (await world.ports.store.commits.history("prod", 9)).at(-1)?.revision;
    world.memory.machine(at).volumes.clear();
    expect(
      await apply(world, rollback, { namespace: "prod", to: String(commit), volumes: "all" }),
    ).toMatchObject({
      kind: "refused",
      refusals: [{ code: "snapshot_missing" }],
    });
  });

  test("brings a removed namespace back, with its data when asked", async () => {
    const world = await worldWithTwo();
    await apply(world, namespaceRm, { namespace: "prod" });
    expect(await apply(world, rollback, { namespace: "prod" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "volume_missing" }],
    });
    expect(await apply(world, rollback, { namespace: "prod", volumes: "all" })).toMatchObject({
      state: "done",
      owed: [],
    });
    expect(await contentOf(world)).toHaveLength(3);
  });

  test.each([
    ["no_such_namespace", { namespace: "nope" }],
    ["no_such_commit", { namespace: "prod", to: "999999" }],
    ["no_such_volume", { namespace: "prod", volumes: ["nope"] }],
    ["invalid_input", { namespace: "prod", volumes: [] }],
    ["invalid_input", { namespace: "prod", to: "../../x" }],
  ])("%s", async (code, wrong) => {
    const world = await worldWithTwo();
    const before = await inspect(world);
    const outcome = await apply(world, rollback, wrong);
    expect(outcome).toMatchObject({ kind: "refused" });
    if (outcome.kind === "refused") expect(outcome.refusals[0]).toMatchObject({ code });
    expect(await inspect(world)).toEqual(before);
  });
});

describe("volumes", () => {
  test("create, use, leave, remove; a volume in use stays", async () => {
    const world = await worldWithShop();
    const files = { namespace: "prod", volume: "files", machine: "m3", quotaBytes: 2 ** 20 };
    expect(await apply(world, volumeCreate, files)).toMatchObject({ state: "done", changed: true });
    expect(await apply(world, volumeCreate, files)).toMatchObject({ changed: false });
    expect(await apply(world, volumeCreate, { ...files, machine: "m1" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "volume_exists" }],
    });
    expect(await apply(world, volumeRm, { namespace: "prod", volume: "data" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "volume_in_use" }],
    });
    expect(await apply(world, volumeRm, { namespace: "prod", volume: "files" })).toMatchObject({
      state: "done",
      owed: [],
    });
    expect(await apply(world, volumeRm, { namespace: "prod", volume: "files" })).toMatchObject({
      changed: false,
    });
    expect([...world.memory.machine("m3").volumes.values()].find(({ name }) => name === "files")?.state).toBe(
      "retired",
    );
  });

  test("fork into another namespace, and restore from a snapshot", async () => {
    const world = await worldWithTwo();
    const [first] = await contentOf(world);
    const fork = {
      source: { namespace: "prod", volume: "data" },
      target: { namespace: "analytics", volume: "copy" },
    };
    expect(await apply(world, volumeFork, fork)).toMatchObject({ state: "done", owed: [] });
    expect(await apply(world, volumeFork, fork)).toMatchObject({ changed: false });
    expect(await contentOf(world, "analytics", "copy")).toHaveLength(2);
    const snapshot = (await headOf(world)).before?.[0]?.snapshot;
    const restore = { namespace: "prod", volume: "data", snapshot };
    expect(await apply(world, volumeRestore, restore)).toMatchObject({ state: "done", owed: [] });
    expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    const old = { ...fork, target: { namespace: "analytics", volume: "old" }, snapshot };
    expect(await apply(world, volumeFork, old)).toMatchObject({ state: "done", owed: [] });
    expect(await contentOf(world, "analytics", "old")).toEqual([first]);
    const none = { ...old, target: { namespace: "analytics", volume: "none" }, snapshot: "nope" };
    expect(await apply(world, volumeFork, none)).toMatchObject({ refusals: [{ code: "snapshot_missing" }] });
    expect(await apply(world, volumeRestore, { ...restore, snapshot: "nope" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "snapshot_missing" }],
    });
  });

  test.each([{}, { machine: "m1" }, { machine: "m2" }])("fork within one namespace, %j", async (where) => {
    const world = await worldWithShop();
    const before = await contentOf(world);
    const within = (volume: string) => ({ namespace: "prod", volume });
    const fork = { source: within("data"), target: within("copy"), ...where };
    expect(await apply(world, volumeFork, fork)).toMatchObject({ state: "done", changed: true, owed: [] });
    expect(await contentOf(world, "prod", "copy")).toEqual(before);
    expect(await contentOf(world)).toEqual(before);
  });

  test("restoring the same snapshot again restores again, from the copy that was replaced", async () => {
    const world = await worldWithShop();
    await apply(world, volumeSnapshot, { namespace: "prod", volume: "data", name: "s" });
    const [first] = await contentOf(world);
    const restore = { namespace: "prod", volume: "data", snapshot: "s" };
    for (const version of [2, 3]) {
      await deploy(world, shop(version));
      expect((await contentOf(world)).length).toBeGreaterThan(1);
      expect(await apply(world, volumeRestore, restore)).toMatchObject({
        state: "done",
        changed: true,
        owed: [],
      });
      expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    }
  });

  test("a snapshot with a name is one snapshot, and a volume can go back to it", async () => {
    const world = await worldWithShop();
    const named = { namespace: "prod", volume: "data", name: "before-upgrade" };
    expect(await apply(world, volumeSnapshot, named)).toMatchObject({ state: "done", changed: true });
    expect(await apply(world, volumeSnapshot, named)).toMatchObject({ changed: false });
    const [first] = await contentOf(world);
    await deploy(world, shop(2));
    const restore = { namespace: "prod", volume: "data", snapshot: "before-upgrade" };
    expect(await apply(world, volumeRestore, restore)).toMatchObject({ state: "done", owed: [] });
    expect((await contentOf(world)).slice(0, -1)).toEqual([first]);
    expect(await apply(world, volumeSnapshot, { ...named, volume: "nope" })).toMatchObject({
      kind: "refused",
      refusals: [{ code: "no_such_volume" }],
    });
  });

  test("prune deletes beyond the retention, and shows it before", async () => {
    const world = await worldWithTwo();
    await apply(world, rollback, { namespace: "prod", volumes: "all" });
    expect(await apply(world, volumePrune, { namespace: "prod" })).toMatchObject({ changed: false });
    for (const machine of world.memory.all) machine.prunes = true;
    expect(await apply(world, volumePrune, { namespace: "prod" }, "preview")).toMatchObject({
      changes: true,
    });
    expect(await apply(world, volumePrune, { namespace: "prod" })).toMatchObject({
      state: "done",
      changed: true,
    });
    const states = world.memory.all.flatMap(({ volumes }) => [...volumes.values()].map(({ state }) => state));
    expect(states).toEqual(["active"]);
  });

  test("a service is deployed on a volume that was made before", async () => {
    const world = await worldWithShop();
    await apply(world, volumeCreate, { namespace: "prod", volume: "files", machine: "m2" });
    const toml = `${shop(1)}${service("ftp", 1, 'volumes = { files = "/f" }')}[volumes.files]\n`;
    expect(await deploy(world, toml)).toMatchObject({ state: "done" });
    expect((await headOf(world)).instances.find((one) => one.service === "ftp")?.machine).toBe("m2");
  });
});

describe("under every fault", () => {
  test("rollback with data", { timeout: 400_000 }, async () => {
    const asked = { namespace: "prod", volumes: "all" as const };
    const found = await checkPrimitive(
      { primitive: rollback, input: asked, world: () => worldWithTwo(["m1", "m2"]), inspect },
      { every: 9 },
    );
    expect(found).toEqual([]);
  });

  test("volume snapshot and prune", { timeout: 400_000 }, async () => {
    const named = { namespace: "prod", volume: "data", name: "before" };
    const snapshot = {
      primitive: volumeSnapshot,
      input: named,
      world: () => worldWithShop(["m1", "m2"]),
      inspect,
    };
    expect(await checkPrimitive(snapshot, { every: 3 })).toEqual([]);
    const world = async () => {
      const made = await worldWithTwo(["m1", "m2"]);
      await apply(made, rollback, { namespace: "prod", volumes: "all" });
      for (const machine of made.memory.all) machine.prunes = true;
      return made;
    };
    expect(
      await checkPrimitive(
        { primitive: volumePrune, input: { namespace: "prod" }, world, inspect },
        { every: 4 },
      ),
    ).toEqual([]);
  });

  test("volume create, restore and rm", { timeout: 400_000 }, async () => {
    const files = { namespace: "prod", volume: "files", machine: "m2" };
    const world = () => worldWithTwo(["m1", "m2"]);
    const create = { primitive: volumeCreate, input: files, world, inspect };
    expect(await checkPrimitive(create, { every: 5 })).toEqual([]);
    const withFiles = async () => {
      const made = await world();
      await apply(made, volumeCreate, files);
      return made;
    };
    const rm = { namespace: "prod", volume: "files" };
    expect(
      await checkPrimitive({ primitive: volumeRm, input: rm, world: withFiles, inspect }, { every: 5 }),
    ).toEqual([]);
    const snapshot = (await headOf(await world())).before?.[0]?.snapshot ?? "";
    const restore = { namespace: "prod", volume: "data", snapshot };
    // A restore that is run again restores again, and each one leaves a retired copy.
    const look = async (found: World) => {
      const { copies, ...rest } = (await inspect(found)) as { readonly copies: readonly string[] };
      return { ...rest, copies: [...new Set(copies.map((copy) => copy.replace(/ with \d+/, "")))] } as Json;
    };
    expect(
      await checkPrimitive({ primitive: volumeRestore, input: restore, world, inspect: look }, { every: 7 }),
    ).toEqual([]);
  });

  test("volume fork", { timeout: 400_000 }, async () => {
    const fork = {
      source: { namespace: "prod", volume: "data" },
      target: { namespace: "analytics", volume: "copy" },
    };
    const found = await checkPrimitive(
      { primitive: volumeFork, input: fork, world: () => worldWithShop(["m1", "m2"]), inspect },
      { every: 3 },
    );
    expect(found).toEqual([]);
  });
});
