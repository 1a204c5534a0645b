import { PloyzError } from "../error-codes.ts";
import { abortedError } from "./leases.ts";
import type { Run } from "./run-context.ts";
import type { Plan, Refusal } from "./types.ts";
import { checkPlan } from "./view.ts";

/** Reasons not to start, on their way to the outcome. As an error it reads like the first of them. */
export class Refusals extends PloyzError {
  readonly refusals: readonly Refusal[];
  constructor(refusals: readonly [Refusal, ...Refusal[]]) {
    super(refusals[0]);
    this.refusals = refusals;
  }
}

export interface Planned {
  readonly facts: unknown;
  readonly plan: Plan;
}

/** Looks, refuses or plans. Touches nothing; fails with `Refusals`. */
export async function observeAndPlan(run: Run, operation: string, signal: AbortSignal): Promise<Planned> {
  const { primitive, ports } = run.registered;
  if (signal.aborted) throw abortedError();
  const facts = await primitive.observe(run.input, ports, signal);
  const [first, ...rest] = primitive.refuse(run.input, facts);
  if (first !== undefined) throw new Refusals([first, ...rest]);
  const plan = primitive.plan(run.input, facts, operation);
  checkPlan(plan, primitive.steps);
  return { facts, plan };
}
