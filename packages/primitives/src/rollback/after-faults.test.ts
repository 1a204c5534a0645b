import { expect, test } from "vitest";
import type { Commit } from "../model/commit.ts";
import { namespaceRepair } from "../namespace-repair/index.ts";
import { apply, deploy, headOf, service, shop, worldWithShop } from "../testing/scenarios/change.ts";
import { rollback } from "./index.ts";

const prod = { namespace: "prod" };

test("right after a repair goes to the commit before the one that the repair restored", async () => {
  const world = await worldWithShop(["m1"]);
  await deploy(world, shop(2));
  world.raw.commits.publish("prod", {});
  expect(await apply(world, namespaceRepair, prod)).toMatchObject({ state: "done", changed: true });
  expect(await apply(world, rollback, prod)).toMatchObject({ state: "done", changed: true, owed: [] });
  expect((await headOf(world)).services.db?.spec.env.V).toBe("1");
});

test("to a spec that no runtime starts is refused with its field, and nothing changes", async () => {
  const world = await worldWithShop(["m1"]);
  const good = await headOf(world);
  const { db } = good.services;
  if (db === undefined) throw new Error("the shop has a database");
  const spec = { ...db.spec, resources: { pids: 4 } };
  const old: Commit = { ...good, operation: "01OLD", services: { ...good.services, db: { ...db, spec } } };
  const bad = world.raw.commits.publish("prod", old);
  await deploy(world, shop(2));
  expect(await apply(world, rollback, { ...prod, to: String(bad) })).toMatchObject({
    kind: "refused",
    refusals: [{ code: "invalid_input", details: { field: "services.db.resources.pids" } }],
  });
  expect((await headOf(world)).services.db?.spec.env.V).toBe("2");
});

test("an unreadable record of a machine refuses changes of its namespaces, and no others", async () => {
  const world = await worldWithShop();
  const at = (await headOf(world)).volumes[0]?.machine ?? "";
  const record = await world.raw.facts.get(`machine.${at}`);
  await world.raw.facts.put(`machine.${at}`, { broken: true }, record?.revision ?? 0);
  expect(await deploy(world, shop(2))).toMatchObject({
    kind: "refused",
    refusals: [
      {
        code: "record_unreadable",
        message: expect.stringContaining(`fact.machine.${at}`),
        hint: expect.stringContaining(`ployzctl store repair fact.machine.${at}`),
      },
    ],
  });
  expect(await deploy(world, service("api", 1), "other")).toMatchObject({ state: "done" });
});
