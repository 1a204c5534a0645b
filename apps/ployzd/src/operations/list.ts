import { isFinal, presentSummary } from "@ployz/primitives/host";
import type { OperationSummary, Store } from "@ployz/primitives/protocol";

/** The newest operations, of these primitives alone if there are some: ever older ones are read until there are enough. */
export async function listOperations(
  store: Pick<Store, "journals" | "leases">,
  limit: number,
  primitives?: readonly string[],
): Promise<readonly OperationSummary[]> {
  const held = new Set((await store.leases.list()).map(({ scope }) => scope));
  for (let window = limit; ; window *= 4) {
    const read = await store.journals.summaries(window);
    const found = read
      .map(({ value }) => value)
      .filter(({ primitive }) => primitives?.includes(primitive) ?? true);
    if (found.length >= limit || read.length < window)
      return found.slice(0, limit).map((summary) => presentSummary(summary, held));
  }
}

/** How many summaries are read at most to find enough of those that people started. */
const MOST_READ = 800;
const ENOUGH = 50;
const SCHEDULED = /^schedule /;

/**
 * For an overview, newest first: every unfinished operation, however old, and the newest that ended. A schedule's run that ended well is
 * left out: a standby alone makes thousands of them a day.
 */
export async function notableOperations(
  store: Pick<Store, "journals" | "leases">,
): Promise<readonly OperationSummary[]> {
  const held = new Set((await store.leases.list()).map(({ scope }) => scope));
  const isEnded = ({ state }: OperationSummary) => isFinal(state);
  const open = await store.journals.summaries(Number.POSITIVE_INFINITY, isEnded);
  const found = new Map(open.map(({ value }) => [value.operation, value]));
  for (let window = ENOUGH; window <= MOST_READ; window *= 4) {
    const read = await store.journals.summaries(window);
    const notable = read
      .map(({ value }) => value)
      .filter(({ by, state }) => !(SCHEDULED.test(by) && state === "done"));
    for (const summary of notable.slice(0, ENOUGH)) found.set(summary.operation, summary);
    if (notable.length >= ENOUGH || read.length < window) break;
  }
  return [...found.values()]
    .sort((left, right) => (left.operation < right.operation ? 1 : -1))
    .map((summary) => presentSummary(summary, held));
}
