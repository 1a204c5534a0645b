import {
  branch,
  deployPrimitive,
  type Kinds,
  type Primitive,
  type PrimitivePorts,
  promote,
  type Summary,
} from "@ployz/primitives";
import type { Json } from "@ployz/primitives/protocol";
import type { MemoryCluster } from "@ployz/primitives/testing";
import { type Figure, quantile, type Suite } from "./curve.ts";
import { cpuTimed } from "./timed.ts";
import { deployedWorld, inputOf, manifestOf, namespaceId } from "./world.ts";

/** Rounds of each plan; the first one, which compiles, is not counted. */
const ROUNDS = 5;
const TARGET_MS = 1_000;

/** The planners alone, and the engine with them, over ports in memory. */
export const planners: Suite = async ({ machines, progress }) => {
  progress("deploying namespaces in memory");
  const world = await deployedWorld(machines);
  const target = namespaceId(0);
  const changed = inputOf(manifestOf(target, 2, machines));
  const wide = (change: number) => inputOf(manifestOf(target, change, machines, true));
  const fork = { source: target, target: "pr-1", volumeMode: "branch" as const };
  const figures: Figure[] = [];
  const plan = async <In extends Json, F, K extends Kinds, R extends Json, S extends Summary, Sent>(
    name: string,
    primitive: Primitive<PrimitivePorts, In, F, K, R, S, Sent>,
    input: NoInfer<Sent>,
  ) => {
    progress(`plan: ${name}`);
    const { planMs, previewMs } = await timePlan(world, primitive, input);
    figures.push({ name: `plan, ${name}`, unit: "ms of CPU", value: planMs, target: TARGET_MS });
    figures.push({
      name: `preview in memory, ${name}`,
      unit: "ms of CPU",
      value: previewMs,
      target: TARGET_MS,
    });
  };
  await plan("one changed service", deployPrimitive, changed);
  await plan("an every-machine service", deployPrimitive, wide(2));
  await plan("branch", branch, fork);
  await applied(world, branch, fork);
  await applied(
    world,
    deployPrimitive,
    inputOf(manifestOf("pr-1", 3, machines).replaceAll("example.test", "pr.test")),
  );
  await plan("promote", promote, { source: "pr-1", target });
  progress("apply in memory");
  const first = await cpuTimed(() => applied(world, deployPrimitive, wide(2)));
  const second = await cpuTimed(() => applied(world, deployPrimitive, wide(3)));
  figures.push({ name: "engine in memory, an every-machine service", unit: "ms of CPU", value: first });
  figures.push({
    name: "engine in memory, an every-machine service replaced",
    unit: "ms of CPU",
    value: second,
  });
  return figures;
};

async function timePlan<In extends Json, F, K extends Kinds, R extends Json, S extends Summary, Sent>(
  world: MemoryCluster,
  primitive: Primitive<PrimitivePorts, In, F, K, R, S, Sent>,
  input: NoInfer<Sent>,
) {
  const plans: number[] = [];
  const previews: number[] = [];
  const watched = {
    ...primitive,
    plan(...args: Parameters<typeof primitive.plan>) {
      const start = process.cpuUsage();
      const plan = primitive.plan(...args);
      const { user, system } = process.cpuUsage(start);
      plans.push((user + system) / 1_000);
      return plan;
    },
  };
  for (let round = 0; round < ROUNDS; round++)
    previews.push(
      await cpuTimed(async () => {
        const outcome = await world.run(watched, { input, mode: "preview" });
        if (outcome.kind !== "plan" || !outcome.changes) throw new Error(JSON.stringify(outcome));
      }),
    );
  return { planMs: quantile(plans.slice(1), 0.5), previewMs: quantile(previews.slice(1), 0.5) };
}

async function applied<In extends Json, F, K extends Kinds, R extends Json, S extends Summary, Sent>(
  world: MemoryCluster,
  primitive: Primitive<PrimitivePorts, In, F, K, R, S, Sent>,
  input: NoInfer<Sent>,
): Promise<void> {
  const outcome = await world.run(primitive, { input, mode: "apply" });
  if (outcome.kind !== "operation" || outcome.state !== "done") throw new Error(JSON.stringify(outcome));
}
