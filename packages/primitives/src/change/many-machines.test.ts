import { expect, test } from "vitest";
import { branch } from "../branch/index.ts";
import { migrate } from "../migrate/index.ts";
import { namespaceRm } from "../namespace-rm/index.ts";
import { promote } from "../promote/index.ts";
import { rollback } from "../rollback/index.ts";
import { apply, deploy, headOf, service, shop, worldWithShop } from "../testing/scenarios/change.ts";

const done = { state: "done", owed: [] };

// Plans name few needs one by one and many through a gate: each size around that border, and more.
test.each([1, 2, 3, 4, 5, 12])("every change of a namespace on %i machines", async (count) => {
  const machines = Array.from({ length: count }, (_, index) => `m${index + 1}`);
  const world = await worldWithShop(machines);
  const wide = (v: number) => shop(v) + service("wide", v, 'placement = "every-machine"');
  expect(await deploy(world, wide(2))).toMatchObject(done);
  expect(await deploy(world, wide(3))).toMatchObject(done);
  expect(await apply(world, branch, { source: "prod", target: "pr", volumeMode: "branch" })).toMatchObject(
    done,
  );
  expect(await deploy(world, wide(4).replaceAll("example.test", "pr.test"), "pr")).toMatchObject(done);
  expect(await apply(world, promote, { source: "pr", target: "prod" })).toMatchObject(done);
  expect(await apply(world, rollback, { namespace: "prod", volumes: "all" })).toMatchObject(done);
  const { volumes } = await headOf(world);
  const to = machines.find((id) => id !== volumes[0]?.machine);
  if (to !== undefined)
    expect(await apply(world, migrate, { namespace: "prod", service: "db", to })).toMatchObject(done);
  expect(await deploy(world, shop(5))).toMatchObject(done);
  for (const namespace of ["pr", "prod"])
    expect(await apply(world, namespaceRm, { namespace })).toMatchObject(done);
  expect(world.memory.all.flatMap(({ instances }) => [...instances.keys()])).toEqual([]);
});
