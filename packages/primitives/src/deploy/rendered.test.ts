import { expect, test } from "vitest";
import type { ChangeSummary } from "../change/plan/summary.ts";
import { bundlePaths, parseManifest } from "../manifest/parse.ts";
import { renderManifest } from "../manifest/render.ts";
import { rollback } from "../rollback/index.ts";
import { apply, headOf, type World, worldWithShop } from "../testing/scenarios/change.ts";
import { deployPrimitive } from "./index.ts";

/** As the command line deploys a rendered manifest: bundles are named by digest in it. */
async function deployRendered(world: World, text: string, mode: "apply" | "preview") {
  const parsed = parseManifest(text, "toml");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusals));
  const { manifest } = parsed;
  return apply(world, deployPrimitive, { manifest, bundles: bundlePaths(manifest) }, mode);
}

test("the manifest of the present commit changes nothing when it is deployed", async () => {
  const world = await worldWithShop();
  const text = renderManifest(await headOf(world));
  expect(await deployRendered(world, text, "preview")).toMatchObject({ kind: "plan", changes: false });
});

test("the manifest of an earlier commit deploys what a rollback to it makes", async () => {
  const world = await worldWithShop();
  const first = await headOf(world);
  const text = renderManifest(first);
  await deployRendered(world, renderManifest(first).replaceAll('V = "1"', 'V = "2"'), "apply");
  const second = await headOf(world);
  expect(second.services.web?.spec.env.V).toBe("2");
  const plans = await Promise.all([
    deployRendered(world, text, "preview"),
    apply(world, rollback, { namespace: "prod" }, "preview"),
  ]);
  const [deployed, rolled] = plans.map((plan) => {
    if (plan.kind !== "plan") throw new Error(JSON.stringify(plan));
    const { services, volumes, routes } = plan.summary as unknown as ChangeSummary;
    return { volumes, routes, services: services.map(({ name, change, fields }) => [name, change, fields]) };
  });
  expect(deployed).toEqual(rolled);
  expect(deployed?.services.map(([name, change]) => [name, change])).toEqual([
    ["db", "change"],
    ["web", "change"],
  ]);
  await deployRendered(world, text, "apply");
  expect((await headOf(world)).services).toEqual(first.services);
});
