import { expect, test } from "vitest";
import { memoryDeps } from "../testing/bench.ts";
import { placeScenario } from "../testing/place-scenario.ts";
import { place } from "../testing/toy.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { runOperation } from "./run.ts";

const MACHINES = 40;

/** The toy, whose settle steps wait until all of them do. */
function crowd() {
  let here = 0;
  let all = () => {};
  const together = new Promise<void>((resolve) => {
    all = resolve;
  });
  const primitive: typeof place = {
    ...place,
    plan(...args) {
      const plan = place.plan(...args);
      if (!("settle" in plan)) return plan;
      const [step] = plan.settle;
      if (step === undefined) return plan;
      const settle = Array.from({ length: MACHINES }, (_, at) => ({ ...step, id: `wait ${at}` }));
      return { ...plan, settle };
    },
    steps: {
      ...place.steps,
      release: {
        ...place.steps.release,
        waits: true,
        async apply() {
          here += 1;
          if (here === MACHINES) all();
          await together;
          return null;
        },
      },
    },
  };
  return primitive;
}

test("steps that only wait run all at once, whatever the limits, with one entry each", async () => {
  const scenario = placeScenario();
  const world = await scenario.world();
  const limits = { ...DEFAULT_LIMITS, parallel: 1, parallelPerMachine: 1 };
  const deps = memoryDeps(world, { limits });
  const outcome = await runOperation(crowd(), { input: scenario.input, mode: "apply" }, deps);
  if (outcome.kind !== "operation") throw new Error(JSON.stringify(outcome));
  expect(outcome).toMatchObject({ state: "done", owed: [] });
  const entries = await world.ports.store.journals.read(outcome.operation ?? "");
  const waited = entries.filter((entry) => "step" in entry && entry.step.startsWith("wait "));
  expect(waited.map(({ type }) => type)).toEqual(Array.from({ length: MACHINES }, () => "step-done"));
  expect(waited.every((entry) => "from" in entry && entry.from !== undefined && entry.from <= entry.t)).toBe(
    true,
  );
  // What has an effect has its entry before it.
  const types = entries.flatMap((entry) =>
    "step" in entry && entry.step === "reserve a" ? [entry.type] : [],
  );
  expect(types).toEqual(["step-started", "step-done"]);
});
