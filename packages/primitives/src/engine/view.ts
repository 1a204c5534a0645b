import type { PlanView } from "../model/operation.ts";
import { asJson, hashJson } from "./canonical.ts";
import type { Plan, PlannedStep } from "./types.ts";

/**
 * The plan as printed and sent: without the steps' arguments and the summary's `next`, from which the commit is made. Both hold full
 * specs, including the values of environment variables.
 */
export function planView(primitive: string, plan: Plan): PlanView {
  const { changes, warnings } = plan;
  const { next: _, ...summary } = plan.summary;
  return {
    kind: "plan",
    primitive,
    hash: hashJson(asJson(plan)),
    ...{ changes, summary, warnings },
    prepare: plan.prepare.map(stepView),
    settle: plan.settle.map(stepView),
  };
}

function stepView({ id, title, machine, needs }: PlannedStep) {
  return { id, title, needs, ...(machine !== undefined && { machine }) };
}

/**
 * Throws (a bug of the planner) unless ids are unique, every `needs` names an earlier step, and no-op plans have no steps.
 * Requiring "earlier in the list" is what keeps plans free of cycles.
 */
export function checkPlan(plan: Plan, kinds: Readonly<Record<string, unknown>>): void {
  const seen = new Set<string>();
  for (const step of [...plan.prepare, ...plan.settle]) {
    if (seen.has(step.id)) throw new Error(`plan has two steps "${step.id}"`);
    if (!Object.hasOwn(kinds, step.kind)) throw new Error(`step "${step.id}" has no kind "${step.kind}"`);
    for (const need of step.needs) {
      if (!seen.has(need)) throw new Error(`step "${step.id}" needs "${need}", which is not before it`);
    }
    seen.add(step.id);
  }
  if (!plan.changes && seen.size > 0) throw new Error("a plan without changes has steps");
}

/** Ids of all steps that `step` needs, directly or not. */
export function allNeeds(steps: readonly PlannedStep[], step: PlannedStep): ReadonlySet<string> {
  const byId = new Map(steps.map((s) => [s.id, s]));
  const all = new Set<string>();
  const visit = (ids: readonly string[]): void => {
    for (const id of ids) {
      if (all.has(id)) continue;
      all.add(id);
      visit(byId.get(id)?.needs ?? []);
    }
  };
  visit(step.needs);
  return all;
}
