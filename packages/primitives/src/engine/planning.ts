import { type ErrorBody, PloyzError } from "@ployz/errors";
import type { Refusal } from "../error-codes.ts";
import { bytesOf, LIMITS } from "../model/limits.ts";
import { abortedError } from "./leases.ts";
import type { Run } from "./run-context.ts";
import type { Plan } from "./types.ts";
import { checkPlan } from "./view.ts";

/** Carries refusals to the outcome. As an error it reads like the first of them. */
export class RefusedError extends PloyzError {
  readonly refusals: readonly ErrorBody[];
  constructor(refusals: readonly ErrorBody[]) {
    super(refusals[0] ?? { code: "internal", message: "refused without a reason" });
    this.refusals = refusals;
  }
}

export interface Planned {
  readonly facts: unknown;
  readonly plan: Plan;
}

/** Observes and plans. Touches nothing. @throws RefusedError */
export async function observeAndPlan(run: Run, operation: string, signal: AbortSignal): Promise<Planned> {
  const { primitive, ports } = run.registered;
  if (signal.aborted) throw abortedError();
  const facts = await primitive.observe(run.input, ports, signal);
  const plan = primitive.plan(run.input, facts, operation);
  if ("refusals" in plan) throw new RefusedError(plan.refusals);
  checkPlan(plan, primitive.steps);
  const bytes = bytesOf(JSON.stringify([run.input, plan]));
  if (bytes > LIMITS.message) throw new RefusedError([tooLarge(bytes)]);
  return { facts, plan };
}

const tooLarge = (bytes: number): Refusal => ({
  code: "plan_too_large",
  message: `the plan has ${bytes} bytes; the store takes ${LIMITS.message}`,
  hint: "change fewer instances at a time, or divide the namespace",
});
