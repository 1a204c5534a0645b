import type { Clock } from "./clock.ts";
import type { AnyPrimitive, EngineDeps } from "./deps.ts";
import type { OperationRecord } from "./fold.ts";
import type { Journal } from "./journal.ts";
import type { LeaseKeeper } from "./leases.ts";
import type { Limits } from "./limits.ts";
import type { Plan, PlannedStep, PrimitivePorts } from "./types.ts";

/** One runner on one operation, with its leases held and its journal open. */
export interface Session {
  readonly primitive: AnyPrimitive;
  readonly ports: PrimitivePorts;
  readonly journal: Journal;
  readonly keeper: LeaseKeeper;
  readonly deps: Pick<EngineDeps, "self" | "emit" | "generation">;
  readonly clock: Clock;
  readonly limits: Limits;
  /** An earlier run began this operation. */
  readonly resumed: boolean;
  /** Machines that did not answer in time: later steps try them once, until one answers. */
  readonly silent: Set<string>;
  /** Steps that the operator has declared lost: one that fails is not owed. */
  readonly givenUp: ReadonlySet<string>;
  /** Steps that are not cleaned up and not owed either: warnings of the result. */
  readonly lost: string[];
  /** The operator's abort. */
  readonly signal: AbortSignal;
}

export function recordOf(session: Session): OperationRecord {
  const record = session.journal.record();
  if (record === undefined) throw new Error(`operation ${session.journal.operation} has no journal`);
  return record;
}

export function planOf(session: Session): Plan {
  const { plan } = recordOf(session);
  if (plan === undefined) throw new Error(`operation ${session.journal.operation} has no plan`);
  return plan;
}

export function stepsOf(session: Session): readonly PlannedStep[] {
  const plan = planOf(session);
  return [...plan.prepare, ...plan.settle];
}
