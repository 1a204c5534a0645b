import { describe, expect, test } from "vitest";
import { branch } from "../branch/index.ts";
import { deployPrimitive } from "../deploy/index.ts";
import { renderManifest } from "../manifest/render.ts";
import { promote } from "../promote/index.ts";
import { rollback } from "../rollback/index.ts";
import { restart, scale, stop } from "../services/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import {
  apply,
  deploy,
  emptyWorld,
  headOf,
  inspect,
  manifestInput,
  service,
  type World,
} from "../testing/scenarios/change.ts";
import { canaryFinish, canaryUndo } from "./index.ts";

const WEB = 'replicas = 3\nroutes = [{ host = "www.example.test" }]';
const site = (v: number, more = "") => service("web", v, `${WEB}\n${more}`) + service("api", 1);
const opened = async (): Promise<World> => {
  const world = await emptyWorld();
  await deploy(world, site(1));
  return world;
};
const tryOut = (world: World, toml: string, canary = 10) =>
  apply(world, deployPrimitive, { ...manifestInput(toml), canary });
const running = async (share = 10): Promise<World> => {
  const world = await opened();
  expect(await tryOut(world, site(2, 'drain = "3s"'), share)).toMatchObject({ state: "done", changed: true });
  return world;
};
const of = async (world: World, name: string) =>
  (await headOf(world)).instances.filter(({ service: one }) => one === name);
const web = { namespace: "prod", services: ["web"] };

describe("a canary", () => {
  test("runs beside the present instances, which stay, and the routes stay with them", async () => {
    const world = await opened();
    const before = await headOf(world);
    await tryOut(world, site(2), 40);
    const head = await headOf(world);
    expect(head.services.web).toEqual(before.services.web);
    expect(head.routes).toEqual(before.routes);
    expect(head.instances.filter(({ service: one }) => one !== "web-canary")).toEqual(before.instances);
    expect(await of(world, "web-canary")).toHaveLength(2);
    expect(head.services["web-canary"]).toMatchObject({
      canary: { of: "web", share: 40, routes: [{ host: "www.example.test" }] },
      spec: { env: { V: "2" }, routes: [], placement: { kind: "replicas", count: 2 } },
    });
  });

  test("is finished by a deploy of its whole spec, and of nothing else", async () => {
    const world = await running();
    const api = await of(world, "api");
    expect(await apply(world, canaryFinish, web)).toMatchObject({ state: "done", changed: true, owed: [] });
    const finished = await headOf(world);
    const plain = await opened();
    await deploy(plain, site(2, 'drain = "3s"'));
    expect(finished.services).toEqual((await headOf(plain)).services);
    expect(await of(world, "web")).toHaveLength(3);
    expect(await of(world, "api")).toEqual(api);
    const again = await apply(world, canaryFinish, web);
    expect(again).toMatchObject({ changed: false });
    expect(JSON.stringify(again)).toContain("prod/web has no canary");
    expect(await inspect(world)).toEqual(await inspect(plain));
  });

  test("may be named as it is listed, by its own name", async () => {
    const world = await running();
    const named = { namespace: "prod", services: ["web-canary", "web"] };
    expect(await apply(world, canaryUndo, named)).toMatchObject({ state: "done", changed: true });
    expect(await of(world, "web-canary")).toEqual([]);
    expect(await of(world, "web")).toHaveLength(3);
  });

  test("is undone without touching an instance of the present version", async () => {
    const plain = await opened();
    const world = await running();
    const before = await of(world, "web");
    expect(await apply(world, canaryUndo, { namespace: "prod" })).toMatchObject({ state: "done", owed: [] });
    expect((await headOf(world)).services).toEqual((await headOf(plain)).services);
    expect(await of(world, "web")).toEqual(before);
    expect(await inspect(world)).toEqual(await inspect(plain));
  });

  test("fails as a deploy does, and leaves nothing behind", async () => {
    const world = await opened();
    const before = await inspect(world);
    const failing = site(2).replace('V = "2"', 'V = "2", FAIL = "exits"');
    expect(await tryOut(world, failing)).toMatchObject({ state: "failed" });
    expect(await inspect(world)).toEqual(before);
  });

  test("stays over a restart, a change of scale and a stop of either version, and a branch does not take it", async () => {
    const world = await running();
    const [canary] = await of(world, "web-canary");
    await apply(world, scale, { namespace: "prod", replicas: { web: 4 } });
    await apply(world, restart, web);
    expect(await of(world, "web-canary")).toEqual([canary]);
    await apply(world, branch, { source: "prod", target: "pr-1" });
    expect(Object.keys((await headOf(world, "pr-1")).services)).toEqual(["api", "web"]);
    expect(renderManifest(await headOf(world))).not.toContain("canary");
    await apply(world, stop, { namespace: "prod", services: ["web-canary"] });
    expect(await of(world, "web-canary")).toEqual([]);
    await apply(world, canaryFinish, web);
    expect((await headOf(world)).services.web?.spec.placement).toEqual({ kind: "replicas", count: 3 });
    await apply(world, rollback, { namespace: "prod" });
    expect(Object.keys((await headOf(world)).services)).toContain("web-canary");
  });

  test("keeps every other deploy and promotion away", async () => {
    const world = await running();
    const refused = { kind: "refused", refusals: [{ code: "canary_running" }] };
    expect(await deploy(world, site(3))).toMatchObject(refused);
    expect(await tryOut(world, site(3))).toMatchObject(refused);
    expect(await tryOut(world, site(2, 'drain = "3s"'), 20)).toMatchObject(refused);
    expect(await tryOut(world, site(1))).toMatchObject(refused);
    expect(await tryOut(world, site(2, 'drain = "3s"'))).toMatchObject({ changed: false });
    await deploy(world, service("web", 9), "pr-1");
    expect(await apply(world, promote, { source: "pr-1", target: "prod" })).toMatchObject(refused);
    expect(await apply(world, promote, { source: "prod", target: "pr-1" })).toMatchObject(refused);
  });
});

test.each([
  ["a new service", `${site(2)}${service("new", 1)}`, /new: is new/],
  ["a service that goes", service("web", 2, WEB), /api: is left out/],
  ["nothing to try", site(1, 'drain = "3s"'), /nothing to try/],
  ["a service without routes", site(1).replace(service("api", 1), service("api", 2)), /api: has no route/],
  [
    "a single-writer volume",
    `${site(2, 'volumes = { data = "/data" }').replace("replicas = 3\n", "")}[volumes.data]\n`,
    /single writer/,
  ],
  ["a port that a route needs", site(2).replace("http = 80", "other = 80"), /no port http/],
])("is refused with %s", async (_, toml, why) => {
  const world = await opened();
  const outcome = await tryOut(world, toml);
  expect(outcome).toMatchObject({ kind: "refused", refusals: [{ code: "canary_refused" }] });
  expect(JSON.stringify(outcome)).toMatch(why);
});

test("is refused when its name is another service's, and for a service that is stopped", async () => {
  const world = await emptyWorld();
  const both = (v: number) => site(v) + service("web-canary", 1);
  await deploy(world, both(1));
  expect(JSON.stringify(await tryOut(world, both(2)))).toContain("as another service or job is");
  const other = await opened();
  await apply(other, stop, web);
  expect(JSON.stringify(await tryOut(other, site(2)))).toContain("ployzctl start prod/web");
  expect(await tryOut(other, site(2), 100)).toMatchObject({ refusals: [{ code: "invalid_input" }] });
});

test.each([canaryFinish, canaryUndo])(
  "$name under every fault leaves either state, whole",
  { timeout: 400_000 },
  async (primitive) => {
    const world = async () => running();
    expect(
      await checkPrimitive({ primitive: primitive as never, input: web, world, inspect }, { every: 23 }),
    ).toEqual([]);
  },
);
