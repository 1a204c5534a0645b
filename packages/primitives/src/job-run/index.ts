import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { own } from "../model/own.ts";
import { Input, type JobRunInput } from "./input.ts";
import { type Facts, plan } from "./plan.ts";
import { type JobKinds, steps } from "./steps.ts";

const keyOf = ({ namespace, job }: JobRunInput) => `job-run.${namespace}.${job}` as const;

/**
 * Runs a committed job by itself, to exit code 0, by hand or by its schedule. It takes no lease of the namespace: deploys continue meanwhile,
 * and leave its instance alone.
 */
export const jobRun: Primitive<PrimitivePorts, JobRunInput, Facts, JobKinds, Json> = {
  name: "job-run",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace, job }) => [`job.${namespace}.${job}`],
  async observe(input, ports, signal) {
    const cluster = await observeCluster([input.namespace], ports, signal);
    const spec = own(cluster.head?.commit.jobs, input.job)?.spec;
    const [content, last] = await Promise.all([
      findContent(spec === undefined ? [] : [spec], cluster.machines, ports, signal),
      ports.store.facts.get(keyOf(input)),
    ]);
    return { ...cluster, content, last: last?.revision ?? 0 };
  },
  plan,
  steps,
  commit: (input, { last }, { summary }, { operation, at, by }) => ({
    kind: "fact",
    key: keyOf(input),
    value: {
      ...{ operation, at, by, machine: typeof summary.machine === "string" ? summary.machine : "" },
      ...(input.tick !== undefined && { tick: input.tick }),
    },
    expected: last,
  }),
  result: (_input, { summary }) => summary,
};
