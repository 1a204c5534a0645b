import { sameJson } from "../../engine/canonical.ts";
import { findCommit } from "../../engine/commit.ts";
import type { Outcome } from "../../engine/deps.ts";
import { fold, isFinal } from "../../engine/fold.ts";
import { readJournal } from "../../engine/journal.ts";
import type { PrimitivePorts } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import type { Store } from "../../ports/store.ts";
import type { World } from "./scenario.ts";

/** Outcome in one word: the state, `refused:<code>`, `crashed` or `stuck`. */
export function word(outcome: Outcome | "crashed" | "stuck"): string {
  if (typeof outcome === "string") return outcome;
  if (outcome.kind === "operation") return outcome.state;
  return outcome.kind === "refused" ? `refused:${outcome.refusals[0]?.code}` : outcome.kind;
}

export function explain(outcome: Outcome | "crashed" | "stuck"): string {
  if (typeof outcome === "string" || outcome.kind === "plan") return word(outcome);
  const error = outcome.kind === "operation" ? outcome.error : outcome.refusals[0];
  return error === undefined ? word(outcome) : `${word(outcome)} (${error.code}: ${error.message})`;
}

/** Leases and unfinished journals that are still there. */
export async function leftInStore({ leases, journals }: Store): Promise<string[]> {
  const left = (await leases.list()).map(({ scope, holder }) => `lease ${scope} of ${holder.operation}`);
  for (const { key } of await journals.summaries(1_000)) {
    const record = fold(await readJournal(journals, key));
    if (record !== undefined && !isFinal(record.state)) left.push(`operation ${key} ${record.state}`);
  }
  return left;
}

/** A result that denies a commit, in one sentence: the store has it. */
export async function untruth(store: Store, outcome: Outcome | "crashed" | "stuck"): Promise<string[]> {
  if (typeof outcome === "string" || outcome.kind !== "operation" || outcome.changed) return [];
  if (outcome.operation === undefined) return [];
  const record = fold(await readJournal(store.journals, outcome.operation));
  const found = record?.point && (await findCommit(store, outcome.operation, record.point));
  const revision = record?.revision ?? found;
  return revision === undefined ? [] : [`ended ${explain(outcome)}, but it is committed as ${revision}`];
}

/** The faults of the world, in sentences, when it should look like one of `expected` and hold no leases or unfinished work. */
export async function faultsOf<Ports extends PrimitivePorts, W extends World<Ports>>(
  world: W,
  inspect: (world: W) => Json | Promise<Json>,
  expected: readonly Json[],
): Promise<string[]> {
  const left = (await leftInStore(world.ports.store)).map((what) => `left behind: ${what}`);
  const found = await inspect(world);
  if (expected.some((one) => sameJson(one, found))) return left;
  return [
    ...left,
    `found ${JSON.stringify(found)}, expected ${expected.map((one) => JSON.stringify(one)).join(" or ")}`,
  ];
}
