import { inputParser } from "../change/input.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import type { Json } from "../model/json.ts";
import { own } from "../model/own.ts";
import { Input, type VolumeRunInput } from "./input.ts";
import { type Facts, plan } from "./plan.ts";
import { steps, type VolumeRunKinds } from "./steps.ts";

const keyOf = ({ namespace, volumesOf }: VolumeRunInput) => `volume-run.${namespace}.${volumesOf}` as const;

/**
 * Runs a program once with the volumes of a service, which stands still meanwhile where a volume has a single writer. Whatever ends the run, the
 * service is started again: after the program, or as the undo of its stop. No commit of the namespace changes.
 */
export const volumeRun: Primitive<PrimitivePorts, VolumeRunInput, Facts, VolumeRunKinds, Json> = {
  name: "volume-run",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe(input, ports, signal) {
    const cluster = await observeCluster([input.namespace], ports, signal);
    const spec = own(cluster.head?.commit.services, input.service)?.spec;
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
    value: { operation, at, by, machine: typeof summary.machine === "string" ? summary.machine : "" },
    expected: last,
  }),
  result: (_input, { summary, prepare }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    warnings: prepare.flatMap(({ id, kind }) => (kind === "resume" ? warningsOf(output(id)) : [])),
  }),
};
