import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { own } from "../model/own.ts";
import { Input, type JobRunInput } from "./input.ts";
import { plan } from "./plan.ts";
import { observeRun, type RunFacts, ranOn } from "./record.ts";
import { type JobKinds, steps } from "./steps.ts";

const keyOf = ({ namespace, job }: JobRunInput) => `job-run.${namespace}.${job}` as const;

/**
 * Runs a committed job by itself, to exit code 0, by hand or by its schedule. It takes no lease of the namespace: deploys continue meanwhile,
 * and leave its instance alone.
 */
export const jobRun: Primitive<PrimitivePorts, JobRunInput, RunFacts, JobKinds, Json> = {
  name: "job-run",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace, job }) => [`job.${namespace}.${job}`],
  observe: (input, ports, signal) =>
    observeRun(
      { namespace: input.namespace, key: keyOf(input) },
      (commit) => own(commit?.jobs, input.job)?.spec,
      ports,
      signal,
    ),
  plan,
  steps,
  commit: (input, { last }, { summary }, done) => ({
    kind: "fact",
    key: keyOf(input),
    value: { ...ranOn(done, summary), ...(input.tick !== undefined && { tick: input.tick }) },
    expected: last,
  }),
  result: (_input, { summary }) => summary,
};
