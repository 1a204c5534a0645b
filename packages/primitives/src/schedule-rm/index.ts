import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { type ClusterSchedule, clusterScheduleKey } from "../model/schedule.ts";
import { Input, type ScheduleRmInput } from "./input.ts";

type Facts = {
  readonly present?: ClusterSchedule;
  readonly revision: number;
  readonly known: readonly string[];
};

/** Ends a schedule of the cluster. A run that has begun continues. */
export const scheduleRm: Primitive<PrimitivePorts, ScheduleRmInput, Facts, Record<never, never>, Json> = {
  name: "schedule-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ name }) => [`cluster-schedule.${name}`],
  async observe({ name }, { store }) {
    const facts = await store.facts.list("cluster-schedule");
    const own = facts.find(({ key }) => key === clusterScheduleKey(name));
    return {
      ...(own !== undefined && { present: own.value }),
      revision: own?.revision ?? 0,
      known: facts.flatMap(({ value }) => (value.removed === true ? [] : [value.name])),
    };
  },
  plan({ name }, { present, known }) {
    if (present === undefined)
      return {
        refusals: [
          {
            code: "no_such_schedule",
            message: `the cluster has no schedule ${name} of its own`,
            hint:
              known.length > 0
                ? `there are ${known.join(", ")}`
                : "schedules of a namespace end with a deploy of a manifest without them",
          },
        ],
      };
    return {
      ...{ basis: [], prepare: [], settle: [], warnings: [] },
      summary: { kind: "schedule-rm", schedule: name, runs: present.runs },
      changes: present.removed !== true,
    };
  },
  steps: {},
  commit({ name }, { present, revision }, _plan, { operation, at, by }) {
    if (present === undefined) throw new Error("a plan without a schedule");
    return {
      kind: "fact",
      key: clusterScheduleKey(name),
      value: { ...present, operation, at, by, removed: true },
      expected: revision,
    };
  },
  result: (_input, { summary }) => summary,
};
