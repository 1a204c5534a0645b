import { isFactKey } from "../model/facts.ts";
import type { Store } from "../ports/store.ts";
import { askRunning } from "./leases.ts";
import { observeAndPlan, type Planned, RefusedError } from "./planning.ts";
import type { Run } from "./run-context.ts";
import type { Plan } from "./types.ts";

/** The journaled plan with fresh facts; `undefined` when its basis has changed or one of its machines does not answer. */
export async function stillHolds(
  run: Run,
  plan: Plan | undefined,
  operation: string,
): Promise<Planned | undefined> {
  if (plan === undefined) return undefined;
  const { store } = run.registered.ports;
  for (const { key, revision } of plan.basis) {
    const now = key.startsWith("commit.")
      ? await store.commits.last(key.slice("commit.".length))
      : await factAt(store, key.slice("fact.".length));
    if ((now?.revision ?? 0) !== revision) return undefined;
  }
  if (!(await allAnswer(run, plan, operation))) return undefined;
  try {
    const { facts } = await observeAndPlan(run, operation, run.deps.signal);
    return { facts, plan };
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

const factAt = async ({ facts }: Store, key: string) => (isFactKey(key) ? facts.get(key) : undefined);

/** A plan that needs an unreachable machine would only fail: a new plan can avoid it. */
async function allAnswer(run: Run, plan: Plan, operation: string): Promise<boolean> {
  const { machines } = run.registered.ports;
  const { askHolderMs } = run.limits;
  const members = plan.basis.flatMap(({ key }) =>
    key.startsWith("fact.machine.") ? [key.slice("fact.machine.".length)] : [],
  );
  const answers = await Promise.all(
    members.map((machine) =>
      askRunning({ machines, askHolderMs, signal: run.deps.signal }, { operation, machine }),
    ),
  );
  return !answers.includes(undefined);
}
