import type {
  ClusterEvent,
  ClusterStatus,
  InstanceList,
  MachineSample,
  OperationSummary,
} from "@ployz/primitives/client";
import { type Measures, withSample } from "./measures.ts";

/** What the page knows of the cluster. */
export interface State {
  readonly connection: "connecting" | "live" | "lost";
  /** Why the last reading failed. */
  readonly fault: string | undefined;
  readonly status: ClusterStatus | undefined;
  readonly instances: InstanceList | undefined;
  readonly operations: readonly OperationSummary[] | undefined;
  readonly machines: ReadonlyMap<string, MachineSample>;
  readonly measures: Measures;
  /** Grows with each commit and each end of an operation: their dependants are read again. */
  readonly changes: number;
}

export const INITIAL: State = {
  ...{ connection: "connecting", fault: undefined, status: undefined, instances: undefined },
  ...{ operations: undefined, machines: new Map(), measures: new Map(), changes: 0 },
};

/** The documents that an event makes old. */
export type Stale = "cluster" | "operations";

/** The state after an event, and what has to be read again. Pure. */
export function afterEvent(state: State, event: ClusterEvent): { state: State; stale: readonly Stale[] } {
  switch (event.type) {
    case "following":
      return { state: { ...state, connection: "live" }, stale: ["cluster", "operations"] };
    case "sample":
      return {
        state: {
          ...state,
          machines: new Map(event.machines.map((one) => [one.machine, one])),
          measures: withSample(state.measures, event),
        },
        stale: [],
      };
    case "operation": {
      const ended = event.operation.state !== "running";
      return {
        state: {
          ...state,
          operations: withOperation(state.operations ?? [], event.operation),
          changes: state.changes + (ended ? 1 : 0),
        },
        stale: ["cluster"],
      };
    }
    case "commit":
      return { state: { ...state, changes: state.changes + 1 }, stale: ["cluster"] };
    default:
      return { state, stale: ["cluster"] };
  }
}

const MOST_OPERATIONS = 500;

/** Newest first: ids of operations are in the order of time. */
function withOperation(
  operations: readonly OperationSummary[],
  operation: OperationSummary,
): readonly OperationSummary[] {
  const others = operations.filter((one) => one.operation !== operation.operation);
  return [...others, operation]
    .sort((a, b) => (a.operation < b.operation ? 1 : -1))
    .slice(0, MOST_OPERATIONS);
}
