import { describe, expect, test } from "vitest";
import type { Json } from "../model/json.ts";
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
import { maintenance, restart, scale, start, stop } from "./index.ts";

const instances = async (world: World, name: string) =>
  (await headOf(world)).instances.filter((one) => one.service === name);
const web = { namespace: "prod", services: ["web"] };

describe("restart", () => {
  test("replaces every instance of the service, and no other", async () => {
    const world = await worldWithShop();
    const before = await headOf(world);
    expect(await apply(world, restart, web)).toMatchObject({ state: "done", changed: true, owed: [] });
    const after = await headOf(world);
    const ids = (of: typeof before, name: string) =>
      of.instances.filter((one) => one.service === name).map(({ id }) => id);
    expect(ids(after, "web")).toHaveLength(ids(before, "web").length);
    expect(ids(after, "web").some((id) => ids(before, "web").includes(id))).toBe(false);
    expect(ids(after, "db")).toEqual(ids(before, "db"));
    expect(after.services).toEqual(before.services);
  });
});

describe("maintenance", () => {
  test("changes nothing but the commit, lasts over deploys, and is refused where there is no route", async () => {
    const world = await worldWithShop();
    const before = await headOf(world);
    const on = { namespace: "prod", on: true };
    expect(await apply(world, maintenance, on)).toMatchObject({ state: "done", changed: true, owed: [] });
    const during = await headOf(world);
    expect(during.services.web?.maintenance).toBe(true);
    expect(during.instances).toEqual(before.instances);
    expect(await apply(world, maintenance, on)).toMatchObject({ changed: false });
    expect(JSON.stringify(await deploy(world, shop(2)))).toContain("prod/web stay in maintenance");
    expect((await headOf(world)).services.web?.maintenance).toBe(true);
    const off = { namespace: "prod", services: ["web"], on: false };
    expect(await apply(world, maintenance, off)).toMatchObject({ changed: true });
    expect((await headOf(world)).services.web).not.toHaveProperty("maintenance");
    await deploy(world, `[services.plain]\nbundle = "./x"\ncommand = ["x"]\n`, "other");
    expect(
      await apply(world, maintenance, { namespace: "other", services: ["plain"], on: true }),
    ).toMatchObject({
      kind: "refused",
      refusals: [{ code: "no_route" }],
    });
    expect(await apply(world, maintenance, { namespace: "prod", services: ["wen"], on: true })).toMatchObject(
      {
        kind: "refused",
        refusals: [{ hint: expect.stringContaining("web") }],
      },
    );
  });
});

describe("stop and start", () => {
  test("a stopped service has no instance, keeps its routes and data, and a deploy says that it stays stopped", async () => {
    const world = await worldWithShop();
    const before = await headOf(world);
    expect(await apply(world, stop, { namespace: "prod", services: ["web", "db"] })).toMatchObject({
      state: "done",
      owed: [],
    });
    expect(await instances(world, "web")).toEqual([]);
    const stopped = await headOf(world);
    expect(stopped.routes).toEqual(before.routes);
    expect(stopped.volumes.map(({ id }) => id)).toEqual(before.volumes.map(({ id }) => id));
    expect(await apply(world, stop, web)).toMatchObject({ changed: false });

    const deployed = await deploy(world, shop(2));
    expect(JSON.stringify(deployed)).toContain("web is stopped, and stays stopped");
    expect(await instances(world, "web")).toEqual([]);

    expect(await apply(world, start, web)).toMatchObject({ state: "done", changed: true });
    expect(await instances(world, "web")).toHaveLength(
      before.instances.filter((one) => one.service === "web").length,
    );
    expect((await headOf(world)).services.web?.stopped).toBeUndefined();
    expect(await apply(world, start, web)).toMatchObject({ changed: false });
  });
});

describe("scale", () => {
  test("adds and removes instances, and touches none that stays", async () => {
    const world = await worldWithShop();
    const before = (await instances(world, "web")).map(({ id }) => id);
    expect(await apply(world, scale, { namespace: "prod", replicas: { web: 4 } })).toMatchObject({
      output: {
        services: expect.arrayContaining([
          expect.objectContaining({
            name: "web",
            fields: [{ field: "replicas", from: before.length, to: 4 }],
          }),
        ]),
      },
    });
    const more = (await instances(world, "web")).map(({ id }) => id);
    expect(more).toHaveLength(4);
    expect(more).toEqual(expect.arrayContaining(before));
    await apply(world, scale, { namespace: "prod", replicas: { web: 1 } });
    expect(await instances(world, "web")).toHaveLength(1);
  });

  test.each([
    ["not_scalable", { namespace: "prod", replicas: { db: 2 } }],
    ["no_such_service", { namespace: "prod", replicas: { wbe: 2 } }],
    ["no_such_namespace", { namespace: "prdo", replicas: { web: 2 } }],
    ["invalid_input", { namespace: "prod", replicas: { web: 0 } }],
  ])("refuses %s", async (code, input) => {
    const world = await worldWithShop();
    expect(await apply(world, scale, input)).toMatchObject({ kind: "refused", refusals: [{ code }] });
  });
});

test.each([
  [restart, web],
  [stop, web],
  [scale, { namespace: "prod", replicas: { web: 3 } }],
] as const)(
  "$name under every fault leaves either state, whole",
  { timeout: 400_000 },
  async (primitive, input) => {
    const world = () => worldWithShop(["m1", "m2"]);
    // A restart that is run again restarts again, and each change leaves a snapshot.
    const look = async (found: World) =>
      JSON.parse(JSON.stringify(await inspect(found)).replaceAll(/ with \d+/g, "")) as Json;
    expect(
      await checkPrimitive({ primitive: primitive as never, input, world, inspect: look }, { every: 7 }),
    ).toEqual([]);
  },
);
