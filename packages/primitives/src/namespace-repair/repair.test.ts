import { describe, expect, it } from "vitest";
import { endUnreadable } from "../engine/end-unreadable.ts";
import type { Json } from "../model/json.ts";
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
import { namespaceRepair } from "./index.ts";

const input = { namespace: "prod" };

async function worldWith(bad: Json): Promise<World> {
  const world = await worldWithShop(["m1"]);
  world.raw.commits.publish("prod", bad);
  return world;
}

describe("a namespace whose last commit cannot be read", () => {
  it("refuses changes by name, and lets every other namespace change", async () => {
    const world = await worldWith({});
    expect(await deploy(world, shop(2))).toMatchObject({
      kind: "refused",
      refusals: [
        {
          code: "record_unreadable",
          message: expect.stringMatching(/^commit\.prod at revision \d+ /),
          hint: expect.stringContaining("ployzctl namespace repair prod"),
        },
      ],
    });
    expect(await deploy(world, service("web", 1), "other")).toMatchObject({ state: "done" });
  });

  it("is repaired by one command, which touches no instance", async () => {
    const world = await worldWith({});
    const before = await inspect(world);
    const good = (await world.ports.store.commits.heads()).find(({ key }) => key === "prod");
    expect(await apply(world, namespaceRepair, input)).toMatchObject({ state: "done", changed: true });
    const { services, instances, volumes, routes } = await headOf(world);
    expect({ services, instances, volumes, routes }).toEqual({
      ...{ services: good?.value.services, instances: good?.value.instances },
      ...{ volumes: good?.value.volumes, routes: good?.value.routes },
    });
    expect(await inspect(world)).toEqual(before);
    expect(await deploy(world, shop(2))).toMatchObject({ state: "done" });
  });

  it("that a newer version wrote is replaced only when asked to", async () => {
    const world = await worldWith({ v: 99, namespace: "prod" });
    expect(await apply(world, namespaceRepair, input)).toMatchObject({
      kind: "refused",
      refusals: [{ code: "record_unreadable", hint: expect.stringContaining("--replace-newer") }],
    });
    expect(await apply(world, namespaceRepair, { ...input, replaceNewer: true })).toMatchObject({
      state: "done",
    });
    expect((await headOf(world)).services).toHaveProperty("web");
  });

  it("and that never had a readable one becomes a removed one", async () => {
    const world = await worldWithShop(["m1"]);
    world.raw.commits.publish("junk", "no commit");
    expect(await apply(world, namespaceRepair, { namespace: "junk" })).toMatchObject({ state: "done" });
    expect(await headOf(world, "junk")).toMatchObject({ removed: true, instances: [] });
  });

  it("is repaired whatever fails meanwhile", async () => {
    const world = () => worldWith({});
    const found = await checkPrimitive({ primitive: namespaceRepair, input, world, inspect });
    expect(found).toEqual([]);
  });
});

it("a namespace in order, or unknown, is not repaired", async () => {
  const world = await worldWithShop(["m1"]);
  expect(await apply(world, namespaceRepair, input)).toMatchObject({ state: "done", changed: false });
  expect(await apply(world, namespaceRepair, { namespace: "none" })).toMatchObject({ kind: "refused" });
});

it("a journal that cannot be read does not block its scope, and can be ended", async () => {
  const world = await worldWithShop(["m1"]);
  const operation = "01J0000000000000ZZZZ000001";
  const summary = {
    ...{ operation, primitive: "deploy", scope: ["deploy.prod"], state: "running", coordinator: "m1" },
    ...{ by: "root@m1", startedAt: "", title: "deploy prod" },
  };
  await world.raw.journals.append(operation, 0, { type: "colour", of: "a newer version" });
  await world.raw.journals.putSummary(operation, summary);
  expect(await deploy(world, shop(2))).toMatchObject({ state: "done" });
  expect(await endUnreadable(world.ports.store, operation, world.clock)).toMatchObject({ state: "failed" });
  expect((await world.ports.store.journals.summary(operation))?.value).toMatchObject({
    ...{ state: "failed", scope: ["deploy.prod"] },
    error: { code: "record_unreadable" },
  });
  await world.raw.journals.putSummary(operation, { no: "summary" });
  expect(await endUnreadable(world.ports.store, operation, world.clock)).toMatchObject({ state: "failed" });
});
