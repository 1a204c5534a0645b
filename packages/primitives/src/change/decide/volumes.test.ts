import { describe, expect, test } from "vitest";
import { deployPrimitive } from "../../deploy/index.ts";
import { checkPrimitive } from "../../testing/harness/check.ts";
import {
  apply,
  deploy,
  emptyWorld,
  headOf,
  inspect,
  manifestInput,
  service,
  shop,
  type World,
  worldWithShop,
} from "../../testing/scenarios/change.ts";

const volumeOf = async (world: World, name = "data") =>
  (await headOf(world)).volumes.find((volume) => volume.name === name);

describe("a deploy with a volume", () => {
  test("makes it where its service is, and the next one keeps both there", async () => {
    const world = await worldWithShop();
    const first = await volumeOf(world);
    const db = (await headOf(world)).instances.find((one) => one.service === "db");
    expect(db?.machine).toBe(first?.machine);
    expect(db?.volumes).toEqual({ data: first?.id });
    expect(await deploy(world, shop(2))).toMatchObject({ state: "done", owed: [] });
    const copy = world.memory.machine(first?.machine ?? "").volumes.get(first?.id ?? "");
    expect(copy?.content).toHaveLength(2);
    expect((await headOf(world)).before).toMatchObject([{ volume: "data", id: first?.id }]);
    expect([...(copy?.snapshots.values() ?? [])].map(({ content }) => content.length)).toEqual([1]);
  });

  test("again changes nothing", async () => {
    const world = await worldWithShop();
    expect(await deploy(world, shop(1))).toMatchObject({ changed: false });
  });

  test("that fails leaves the old service on its data", async () => {
    const world = await worldWithShop();
    const before = await inspect(world);
    const broken = shop(2).replace(
      '[services.db]\nbundle = "./x"',
      '[services.db]\nbundle = "./x"\nuser = "x"',
    );
    const failing = broken.replace(
      'V = "2" }\nports = { http = 80 }\nvolumes',
      'V = "2", FAIL = "exits" }\nports = { http = 80 }\nvolumes',
    );
    expect(await deploy(world, failing)).toMatchObject({ state: "failed", owed: [] });
    expect(await inspect(world)).toEqual(before);
  });

  test("a volume that the manifest leaves out stays, unused", async () => {
    const world = await worldWithShop();
    expect(await deploy(world, service("web", 1))).toMatchObject({ state: "done" });
    expect(await volumeOf(world)).toBeDefined();
    expect(await deploy(world, shop(1))).toMatchObject({ state: "done" });
    const volume = await volumeOf(world);
    expect(world.memory.machine(volume?.machine ?? "").volumes.get(volume?.id ?? "")?.content).toHaveLength(
      2,
    );
  });

  test("a quota that changes restarts nothing", async () => {
    const world = await worldWithShop();
    const before = (await headOf(world)).instances;
    expect(await deploy(world, shop(1).replace("1G", "2G"))).toMatchObject({ state: "done", changed: true });
    expect((await headOf(world)).instances).toEqual(before);
    expect((await volumeOf(world))?.spec.quotaBytes).toBe(2 * 2 ** 30);
  });

  test("missing data is never replaced by an empty volume, and an unreachable machine is waited for", async () => {
    const world = await worldWithShop();
    const volume = await volumeOf(world);
    const machine = world.memory.machine(volume?.machine ?? "");
    machine.reachable = false;
    expect(await deploy(world, shop(2))).toMatchObject({ kind: "refused" });
    machine.reachable = true;
    machine.volumes.clear();
    expect(await deploy(world, shop(2))).toMatchObject({
      kind: "refused",
      refusals: [{ code: "volume_missing" }],
    });
  });

  test("whose machine is away stops no change of another service: it gets no snapshot, and a warning says so", async () => {
    const world = await worldWithShop();
    const volume = await volumeOf(world);
    const home = volume?.machine ?? "";
    const other = world.memory.all.map(({ id }) => id).find((id) => id !== home) ?? "";
    const web = (version: number) =>
      shop(1) + service("aside", version, `constraints = { machines = ["${other}"] }`);
    expect(await deploy(world, web(1))).toMatchObject({ state: "done" });
    world.memory.machine(home).reachable = false;
    const away = await deploy(world, web(2));
    expect(away).toMatchObject({ state: "done", changed: true, owed: [] });
    expect(JSON.stringify(away)).toContain(`volume data gets no snapshot, since ${home} does not answer`);
    expect((await headOf(world)).before ?? []).toEqual([]);
    world.memory.machine(home).reachable = true;
    expect(await deploy(world, web(3))).toMatchObject({ state: "done" });
    expect((await headOf(world)).before).toMatchObject([{ volume: "data", id: volume?.id }]);
  });

  test("needs a machine with ZFS, and room for its quota", async () => {
    const world = await emptyWorld(["m1", "m2"]);
    for (const machine of world.memory.all) machine.storage = false;
    const refused = await deploy(world, shop(1));
    expect(refused).toMatchObject({ kind: "refused", refusals: [{ code: "no_machine_fits" }] });
    expect(JSON.stringify(refused)).toContain("no ZFS");
    world.memory.machine("m2").storage = true;
    expect(await deploy(world, shop(1).replace("1G", "200G"))).toMatchObject({ kind: "refused" });
    expect(await deploy(world, shop(1))).toMatchObject({ state: "done" });
    expect((await volumeOf(world))?.machine).toBe("m2");
  });

  test("two services that share a volume are on its machine", async () => {
    const world = await emptyWorld();
    const toml =
      service("a", 1, 'volumes = { files = "/f" }\nreplicas = 2') +
      service("b", 1, 'volumes = { files = "/f" }') +
      '[volumes.files]\nscope = "shared"\n';
    expect(await deploy(world, toml)).toMatchObject({ state: "done" });
    expect(new Set((await headOf(world)).instances.map(({ machine }) => machine)).size).toBe(1);
  });

  test("one service hands its volume to another", async () => {
    const world = await worldWithShop();
    const toml =
      service("web", 1) + service("store", 1, 'volumes = { data = "/d" }\n[volumes.data]\nquota = "1G"');
    expect(await deploy(world, toml)).toMatchObject({ state: "done", owed: [] });
    const volume = await volumeOf(world);
    const copy = world.memory.machine(volume?.machine ?? "").volumes.get(volume?.id ?? "");
    expect(copy?.content.map((id) => id.split(".")[1])).toEqual(["db", "store"]);
  });
});

describe("under every fault", () => {
  test("a deploy that stops a database and starts its successor on the same data", {
    timeout: 240_000,
  }, async () => {
    const found = await checkPrimitive(
      {
        primitive: deployPrimitive,
        input: manifestInput(shop(2)),
        world: () => worldWithShop(["m1", "m2"]),
        inspect,
      },
      { every: 7 },
    );
    expect(found).toEqual([]);
  });
  test("a preview touches nothing", async () => {
    const world = await worldWithShop();
    const effects = () => world.memory.all.flatMap((machine) => machine.effects).length;
    const before = effects();
    expect(await apply(world, deployPrimitive, manifestInput(shop(2)), "preview")).toMatchObject({
      kind: "plan",
      changes: true,
    });
    expect(effects()).toBe(before);
  });
});
