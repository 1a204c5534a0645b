import { PloyzError } from "../error-codes.ts";
import { digestsIn } from "../model/digests.ts";
import type { PreparedPlan } from "../model/facts.ts";
import { isOperationId } from "../model/ids.ts";
import type { PlanView } from "../model/operation.ts";
import type { Store } from "../ports/store.ts";
import { asJson, hashJson } from "./canonical.ts";
import type { Run } from "./run-context.ts";
import type { Plan } from "./types.ts";
import { planView } from "./view.ts";

/** How long a prepared plan may be applied. */
export const PREPARED_MS = 24 * 3_600_000;

const keyOf = (id: string) => `prepared.${id}` as const;

/** Equal for plans with the same steps and basis; sizes and warnings do not count. */
export function workHash({ basis, prepare, settle }: Plan): string {
  return hashJson(asJson({ basis, prepare, settle }));
}

/** Stores the plan without running it, and deletes expired ones. */
export async function keepPrepared(run: Run, plan: Plan): Promise<PlanView> {
  const { registered, deps, input, id } = run;
  const { facts } = registered.ports.store;
  const now = deps.clock.now();
  const expired = (await facts.list("prepared")).filter(({ value }) => Date.parse(value.expiresAt) <= now);
  for (const { key, revision } of expired) await facts.remove(key, revision);
  const { name, version } = registered.primitive;
  const expiresAt = new Date(now + PREPARED_MS).toISOString();
  const prepared: PreparedPlan = {
    primitive: name,
    version,
    input,
    hash: workHash(plan),
    content: digestsIn(asJson(plan)),
    expiresAt,
    by: deps.self.by,
  };
  await facts.put(keyOf(id), prepared, 0);
  return { ...planView(name, plan), prepared: { id, expiresAt } };
}

/** @throws PloyzError `prepared_unknown`, `prepared_expired`. */
export async function findPrepared({ facts }: Store, id: string, now: number): Promise<PreparedPlan> {
  const found = isOperationId(id) ? await facts.get(keyOf(id)) : undefined;
  const prepared = found?.value;
  if (prepared === undefined)
    throw new PloyzError({
      code: "prepared_unknown",
      message: `there is no prepared plan ${id.slice(0, 40)}`,
      hint: "prepare it again; plans are kept for a day",
    });
  if (Date.parse(prepared.expiresAt) <= now)
    throw new PloyzError({
      code: "prepared_expired",
      message: `the prepared plan ${id} has expired at ${prepared.expiresAt}`,
      hint: "prepare it again",
    });
  return prepared;
}

/** @throws PloyzError `prepared_stale` when the plan would differ now. */
export function checkPrepared(plan: Plan, expected: string | undefined): void {
  if (expected === undefined || workHash(plan) === expected) return;
  throw new PloyzError({
    code: "prepared_stale",
    message:
      "the prepared plan is stale: the state it was made from has changed, and the plan would differ now",
    hint: "prepare it again and look at the difference",
  });
}
