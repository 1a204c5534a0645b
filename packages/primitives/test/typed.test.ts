import { branch, deployPrimitive, register } from "@ployz/primitives";
import type { Json } from "@ployz/primitives/protocol";
import { createMemoryCluster } from "@ployz/primitives/testing";
import { expect, it } from "vitest";

const manifest = {
  namespace: "prod",
  services: { web: { bundle: "./web", command: ["web"], ports: { http: 80 } } },
};
const digest = `sha256:${"a".repeat(64)}`;
const bundles = { web: digest };

it("a wrong field of an input does not compile, and is refused by name when it was not compiled", async () => {
  const cluster = await createMemoryCluster();
  // @ts-expect-error `taget` is no field of a branch's input, and `target` is missing
  const typed = await cluster.run(branch, { input: { source: "prod", taget: "pr-42" }, mode: "apply" });
  const sent: Json = { source: "prod", taget: "pr-42" };
  const { primitive } = register(branch, cluster.ports);
  const untyped = await cluster.run(primitive, { input: sent, mode: "apply" });
  for (const outcome of [typed, untyped])
    expect(outcome).toMatchObject({
      kind: "refused",
      refusals: expect.arrayContaining([
        expect.objectContaining({
          code: "invalid_input",
          message: expect.stringMatching(/target/),
          details: expect.objectContaining({ field: "target" }),
        }),
      ]),
    });
});

it("output and summary have the primitive's types", async () => {
  const cluster = await createMemoryCluster({ bundles: [digest] });
  const plan = await cluster.run(deployPrimitive, { input: { manifest, bundles }, mode: "preview" });
  if (plan.kind !== "plan") throw new Error(JSON.stringify(plan.refusals));
  expect(plan.summary.services.map(({ name, change }) => `${change} ${name}`)).toEqual(["add web"]);
  // @ts-expect-error a plan's summary has no field of this name
  expect(plan.summary.servces).toBeUndefined();

  const done = await cluster.run(deployPrimitive, { input: { manifest, bundles }, mode: "apply" });
  if (done.kind !== "operation") throw new Error(JSON.stringify(done.refusals));
  expect(done.output?.services.flatMap(({ instances }) => instances.length)).toEqual([1]);
  // @ts-expect-error an applied operation does not end with a plan
  expect(done.kind === "plan").toBe(false);
});

it("a step that reads the output of a step of another kind fails, and names both", async () => {
  const cluster = await createMemoryCluster({ bundles: [digest] });
  const wrong: typeof deployPrimitive = {
    ...deployPrimitive,
    commit: (input, facts, plan, context) => {
      context.output("start web.1@m1", "reserve");
      return deployPrimitive.commit(input, facts, plan, context);
    },
  };
  const outcome = await cluster.run(wrong, { input: { manifest, bundles }, mode: "apply" });
  expect(outcome).toMatchObject({
    state: "failed",
    error: { message: 'step "start web.1@m1" has kind "start", not reserve' },
  });
  expect(cluster.machines.all.flatMap(({ instances }) => [...instances.keys()])).toEqual([]);
});
