import type { ClusterEvent } from "@ployz/primitives/client";

type Sample = Extract<ClusterEvent, { type: "sample" }>;

/** What one instance used over time. Times are seconds since 1970; CPU is in cores, null where it was not measured twice. */
export interface Series {
  readonly times: readonly number[];
  readonly cpu: readonly (number | null)[];
  readonly memory: readonly (number | null)[];
  readonly lastNanos: number | undefined;
}

export type Measures = ReadonlyMap<string, Series>;

/** An hour at one sample in five seconds. */
export const MOST_POINTS = 720;

const EMPTY: Series = { times: [], cpu: [], memory: [], lastNanos: undefined };

/** The measures with one more sample; instances that are gone are dropped. Pure. */
export function withSample(measures: Measures, sample: Sample): Measures {
  const time = Date.parse(sample.at) / 1000;
  return new Map(
    sample.instances.map(({ id, memoryBytes, cpuNanos }) => {
      const had = measures.get(id) ?? EMPTY;
      const push = <T>(list: readonly T[], value: T) => [...list, value].slice(-MOST_POINTS);
      const next: Series = {
        times: push(had.times, time),
        cpu: push(had.cpu, cores(had, time, cpuNanos)),
        memory: push(had.memory, memoryBytes ?? null),
        lastNanos: cpuNanos,
      };
      return [id, next];
    }),
  );
}

function cores({ times, lastNanos }: Series, time: number, nanos: number | undefined): number | null {
  const before = times.at(-1);
  if (nanos === undefined || lastNanos === undefined || before === undefined) return null;
  // A restarted instance counts from zero.
  if (nanos < lastNanos || time <= before) return null;
  return (nanos - lastNanos) / 1e9 / (time - before);
}
