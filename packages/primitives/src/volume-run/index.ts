import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import { observeRun, type RunFacts, ranOn } from "../job-run/record.ts";
import type { Json } from "../model/json.ts";
import { own } from "../model/own.ts";
import { Input, type VolumeRunInput } from "./input.ts";
import { plan } from "./plan.ts";
import { steps, type VolumeRunKinds } from "./steps.ts";

const keyOf = ({ namespace, volumesOf }: VolumeRunInput) => `volume-run.${namespace}.${volumesOf}` as const;

/**
 * Runs a program once with the volumes of a service, which stands still meanwhile where a volume has a single writer. Whatever ends the run, the
 * service is started again: after the program, or as the undo of its stop. No commit of the namespace changes.
 */
export const volumeRun: Primitive<PrimitivePorts, VolumeRunInput, RunFacts, VolumeRunKinds, Json> = {
  name: "volume-run",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: (input, ports, signal) =>
    observeRun(
      { namespace: input.namespace, key: keyOf(input) },
      (commit) => own(commit?.services, input.service)?.spec,
      ports,
      signal,
    ),
  plan,
  steps,
  commit: (input, { last }, { summary }, done) => ({
    kind: "fact",
    key: keyOf(input),
    value: ranOn(done, summary),
    expected: last,
  }),
  result: (_input, { summary, prepare }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    warnings: prepare.flatMap(({ id, kind }) => (kind === "resume" ? warningsOf(output(id)) : [])),
  }),
};
