import { isDeepStrictEqual } from "node:util";
import type { ClusterEvent, ClusterStatus, InstanceRow } from "@ployz/primitives/client";

/** What one look at the whole cluster saw. */
export interface Look {
  readonly status: Pick<ClusterStatus, "machines" | "warnings">;
  readonly instances: readonly InstanceRow[];
}

/** What changed from one look to the next, as events of that time. Pure. */
export function differences(before: Look, after: Look, at: string): readonly ClusterEvent[] {
  return [
    ...reachability(before, after, at),
    ...instances(before, after, at),
    ...warnings(before, after, at),
  ];
}

function reachability(before: Look, after: Look, at: string): readonly ClusterEvent[] {
  const was = new Map(before.status.machines.map(({ record, reachable }) => [record.id, reachable]));
  return after.status.machines.flatMap(({ record: { id }, reachable, error }) =>
    (was.get(id) ?? true) === reachable
      ? []
      : [{ type: "reachable", at, machine: id, reachable, ...(error !== undefined && { error }) }],
  );
}

function instances(before: Look, after: Look, at: string): readonly ClusterEvent[] {
  const was = new Map(before.instances.map((row) => [row.id, row]));
  const is = new Set(after.instances.map(({ id }) => id));
  const event = ({ id, namespace, service, machine }: InstanceRow) =>
    ({ type: "instance", at, id, namespace, service, machine }) as const;
  return [
    ...after.instances.flatMap((row) =>
      was.get(row.id)?.state === row.state ? [] : [{ ...event(row), state: row.state }],
    ),
    ...before.instances.filter(({ id }) => !is.has(id)).map(event),
  ];
}

function warnings(before: Look, after: Look, at: string): readonly ClusterEvent[] {
  const missing = (from: Look, others: Look) =>
    from.status.warnings.filter((one) => !others.status.warnings.some((two) => isDeepStrictEqual(one, two)));
  return [
    ...missing(after, before).map((one) => ({ type: "warning", at, state: "raised", ...one }) as const),
    ...missing(before, after).map((one) => ({ type: "warning", at, state: "cleared", ...one }) as const),
  ];
}

/** What machines and instances use. Pure. */
export function sampleOf(
  { status, instances }: Look,
  at: string,
): ClusterEvent & { readonly type: "sample" } {
  return {
    type: "sample",
    at,
    machines: status.machines.flatMap(({ record: { id: machine }, observation, handshakeAgeMs }) => {
      if (observation === undefined) return [];
      const { load1, memoryFreeBytes, diskFreeBytes } = observation;
      const age = handshakeAgeMs === undefined ? {} : { handshakeAgeMs };
      return [{ machine, load1, memoryFreeBytes, diskFreeBytes, ...age }];
    }),
    instances: instances.flatMap(({ id, observed }) => {
      if (observed?.memoryBytes === undefined && observed?.cpuNanos === undefined) return [];
      const { memoryBytes, cpuNanos } = observed;
      return [
        {
          id,
          ...(memoryBytes !== undefined && { memoryBytes }),
          ...(cpuNanos !== undefined && { cpuNanos }),
        },
      ];
    }),
  };
}
