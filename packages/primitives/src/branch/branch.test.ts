import { describe, expect, test } from "vitest";
import { namespaceRm } from "../namespace-rm/index.ts";
import { promote } from "../promote/index.ts";
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
import { branch } from "./index.ts";

const input = (more: object = {}) => ({ source: "prod", target: "pr-42", volumeMode: "branch", ...more });
const copyOf = (world: World, id: string | undefined) =>
  world.memory.all.flatMap(({ volumes }) => [...volumes.values()]).find((volume) => volume.id === id);

describe("branch", () => {
  test("has the source's services, its data as a clone, and routes of its own", async () => {
    const world = await worldWithShop();
    expect(await apply(world, branch, input())).toMatchObject({ state: "done", owed: [] });
    const [prod, pr] = [await headOf(world), await headOf(world, "pr-42")];
    expect(pr.lineage).toMatchObject({ kind: "branch", from: "prod" });
    expect(Object.keys(pr.services)).toEqual(Object.keys(prod.services));
    expect(pr.routes.map((route) => route.kind === "http" && route.host).sort()).toEqual([
      "pr-42--db.example.test",
      "pr-42--www.example.test",
    ]);
    const clone = copyOf(world, pr.volumes[0]?.id);
    expect(pr.volumes[0]?.origin).toMatchObject({ namespace: "prod", volume: "data" });
    // What the source had written, and then its own.
    expect(clone?.content.map((id) => id.split(".")[0])).toEqual(["prod", "pr-42"]);
    expect(copyOf(world, prod.volumes[0]?.id)?.content).toHaveLength(1);
  });

  test("again changes nothing; another namespace of that name is refused", async () => {
    const world = await worldWithShop();
    await apply(world, branch, input());
    expect(await apply(world, branch, input())).toMatchObject({ state: "done", changed: false });
    await deploy(world, service("web", 1), "other");
    expect(await apply(world, branch, input({ target: "other" }))).toMatchObject({
      kind: "refused",
      refusals: [{ code: "namespace_exists" }],
    });
  });

  test("with users asks for their passwords at every HTTP route; an open one does not become so unnoticed", async () => {
    const world = await worldWithShop();
    const { facts } = world.ports.store;
    const secret = { namespace: "prod", name: "team", version: "v1", at: "", by: "", users: 1 };
    expect(await apply(world, branch, input({ users: "team" }))).toMatchObject({
      kind: "refused",
      refusals: [{ code: "secret_missing" }, { code: "secret_missing" }],
    });
    await facts.put("secret.prod.team", secret, 0);
    expect(await apply(world, branch, input({ users: "team" }))).toMatchObject({ state: "done" });
    const { routes } = await headOf(world, "pr-42");
    expect(routes.length).toBeGreaterThan(1);
    for (const route of routes) expect(route).toMatchObject({ options: { basicAuth: { secret: "team" } } });
    expect(await apply(world, branch, input({ users: "team" }))).toMatchObject({ changed: false });
    await apply(world, branch, input({ target: "open" }));
    expect(await apply(world, branch, input({ target: "open", users: "team" }))).toMatchObject({
      kind: "refused",
      refusals: [{ code: "namespace_exists", message: expect.stringContaining("asks for no password at") }],
    });
  });

  test("on another machine gets a copy there, and all of it is there", async () => {
    const world = await worldWithShop();
    const from = (await headOf(world)).volumes[0]?.machine;
    const to = ["m1", "m2", "m3"].find((machine) => machine !== from) ?? "";
    expect(await apply(world, branch, input({ machine: to }))).toMatchObject({ state: "done", owed: [] });
    const pr = await headOf(world, "pr-42");
    expect(new Set([...pr.instances, ...pr.volumes].map(({ machine }) => machine))).toEqual(new Set([to]));
    expect(copyOf(world, pr.volumes[0]?.id)?.content.length).toBe(2);
  });

  test("modes: fresh volumes, services left out, routes as asked", async () => {
    const world = await worldWithShop();
    const asked = {
      source: "prod",
      target: "pr-1",
      services: { web: "skip" },
      routes: { "db.example.test": "db.pr.test" },
    };
    expect(await apply(world, branch, asked)).toMatchObject({ state: "done" });
    const pr = await headOf(world, "pr-1");
    expect(Object.keys(pr.services)).toEqual(["db"]);
    expect(pr.routes).toMatchObject([{ host: "db.pr.test" }]);
    expect(copyOf(world, pr.volumes[0]?.id)?.content).toHaveLength(1);
  });

  test.each([
    ["no_such_namespace", { source: "nope", target: "x" }],
    ["invalid_input", { source: "prod", target: "prod" }],
    ["invalid_input", { source: "prod", target: "x", services: { nope: "skip" } }],
    ["invalid_input", { source: "prod", target: "x", volumeMode: "share" }],
    ["invalid_input", { source: "prod", target: "x", routes: { "www.example.test": "no host" } }],
    ["machine_unknown", { source: "prod", target: "x", machine: "m9" }],
  ])("%s", async (code, wrong) => {
    const world = await worldWithShop();
    const before = await inspect(world);
    const outcome = await apply(world, branch, wrong);
    expect(outcome).toMatchObject({ kind: "refused" });
    // One reason: what would only follow from it is left out.
    if (outcome.kind === "refused") expect(outcome.refusals).toMatchObject([{ code }]);
    expect(await inspect(world)).toEqual(before);
  });

  test("removed, or its source removed, in either order: no data is lost", async () => {
    const world = await worldWithShop();
    await apply(world, branch, input());
    const removed = await apply(world, namespaceRm, { namespace: "prod" });
    expect(removed).toMatchObject({ state: "done", owed: [] });
    expect(JSON.stringify(removed)).toContain("pr-42/data");
    const pr = await headOf(world, "pr-42");
    expect(copyOf(world, pr.volumes[0]?.id)).toMatchObject({ state: "active" });
    expect(await apply(world, namespaceRm, { namespace: "pr-42" })).toMatchObject({
      state: "done",
      owed: [],
    });
    expect(world.memory.all.flatMap(({ instances }) => [...instances.keys()])).toEqual([]);
    expect(
      world.memory.all.flatMap(({ volumes }) => [...volumes.values()].map(({ state }) => state)),
    ).toEqual(["retired", "retired"]);
    expect(await apply(world, namespaceRm, { namespace: "pr-42" })).toMatchObject({ changed: false });
  });
});

describe("promote", () => {
  test("flips the target to what the branch runs, behind the target's routes and on the target's data", async () => {
    const world = await worldWithShop();
    await apply(world, branch, input());
    await deploy(
      world,
      service("web", 2, 'routes = [{ host = "pr-42--www.example.test" }]') +
        service("db", 1, 'volumes = { data = "/data" }\n[volumes.data]\nquota = "1G"'),
      "pr-42",
    );
    expect(await apply(world, promote, { source: "pr-42", target: "prod" })).toMatchObject({
      state: "done",
      owed: [],
    });
    const prod = await headOf(world);
    expect(prod.services.web?.spec.env).toEqual({ V: "2" });
    expect(prod.routes.map((route) => route.kind === "http" && route.host)).toContain("www.example.test");
    expect(copyOf(world, prod.volumes[0]?.id)?.content.every((id) => id.startsWith("prod."))).toBe(true);
    expect(await apply(world, promote, { source: "pr-42", target: "prod" })).toMatchObject({
      changed: false,
    });
  });

  test("with a volume replaced keeps what it held, and can be rolled forward", async () => {
    const world = await worldWithShop();
    await apply(world, branch, input());
    const old = (await headOf(world)).volumes[0];
    const asked = { source: "pr-42", target: "prod", volumes: { data: "replace" } };
    expect(await apply(world, promote, asked)).toMatchObject({ state: "done", owed: [] });
    const prod = await headOf(world);
    expect(copyOf(world, prod.volumes[0]?.id)?.content.map((id) => id.split(".")[0])).toEqual([
      "prod",
      "pr-42",
      "prod",
    ]);
    expect(copyOf(world, old?.id)).toMatchObject({ state: "retired" });
    expect(prod.before).toMatchObject([{ id: old?.id }]);
  });

  test.each([
    ["no_such_namespace", { source: "nope", target: "prod" }],
    ["no_such_volume", { source: "pr-42", target: "prod", volumes: { nope: "replace" } }],
    ["invalid_input", { source: "prod", target: "prod" }],
  ])("%s", async (code, wrong) => {
    const world = await worldWithShop();
    await apply(world, branch, input());
    expect(await apply(world, promote, wrong)).toMatchObject({ kind: "refused", refusals: [{ code }] });
  });
});

describe("under every fault", () => {
  test("branch", { timeout: 400_000 }, async () => {
    const found = await checkPrimitive(
      { primitive: branch, input: input(), world: () => worldWithShop(["m1", "m2"]), inspect },
      { every: 7 },
    );
    expect(found).toEqual([]);
  });

  test("promote with data", { timeout: 400_000 }, async () => {
    const world = async () => {
      const made = await worldWithShop(["m1", "m2"]);
      await apply(made, branch, input());
      return made;
    };
    const asked = { source: "pr-42", target: "prod", volumes: { data: "replace" as const } };
    const found = await checkPrimitive({ primitive: promote, input: asked, world, inspect }, { every: 9 });
    expect(found).toEqual([]);
  });

  test("namespace rm", { timeout: 400_000 }, async () => {
    const found = await checkPrimitive(
      {
        primitive: namespaceRm,
        input: { namespace: "prod" },
        world: () => worldWithShop(["m1", "m2"]),
        inspect,
      },
      { every: 5 },
    );
    expect(found).toEqual([]);
  });
});
