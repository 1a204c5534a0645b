import { isFinal, presentSummary } from "@ployz/primitives/host";
import type { OperationSummary, Store } from "@ployz/primitives/protocol";

type Journals = Pick<Store, "journals">;

/** All that are unfinished. The journals remember which ended, so that each is read once. */
async function unfinished({ journals }: Journals): Promise<readonly OperationSummary[]> {
  const isEnded = ({ state }: OperationSummary) => isFinal(state);
  return (await journals.summaries(Number.POSITIVE_INFINITY, isEnded)).map(({ value }) => value);
}

/**
 * The newest operations, and older ones that are unfinished. Of these primitives alone if there are some: ever older ones are read until
 * there are enough.
 */
export async function listOperations(
  store: Pick<Store, "journals" | "leases">,
  limit: number,
  primitives?: readonly string[],
): Promise<readonly OperationSummary[]> {
  const held = await heldScopes(store);
  const open = await unfinished(store);
  const wanted = ({ primitive }: OperationSummary) => primitives?.includes(primitive) ?? true;
  for (let window = limit; ; window *= 4) {
    const read = await store.journals.summaries(window);
    const found = read.map(({ value }) => value).filter(wanted);
    if (found.length >= limit || read.length < window)
      return newestFirst([...open.filter(wanted), ...found.slice(0, limit)], held);
  }
}

/** How many summaries are read at most to find enough of those that people started. */
const MOST_READ = 800;
const ENOUGH = 50;
const SCHEDULED = /^schedule /;

/**
 * For an overview: the same without runs of schedules that ended well. A standby alone makes thousands of them a day.
 */
export async function notableOperations(
  store: Pick<Store, "journals" | "leases">,
): Promise<readonly OperationSummary[]> {
  const held = await heldScopes(store);
  const open = await unfinished(store);
  for (let window = ENOUGH; ; window *= 4) {
    const read = await store.journals.summaries(window);
    const found = read
      .map(({ value }) => value)
      .filter(({ by, state }) => !(SCHEDULED.test(by) && state === "done"));
    if (found.length >= ENOUGH || read.length < window || window >= MOST_READ)
      return newestFirst([...open, ...found.slice(0, ENOUGH)], held);
  }
}

const heldScopes = async ({ leases }: Pick<Store, "leases">): Promise<ReadonlySet<string>> =>
  new Set((await leases.list()).map(({ scope }) => scope));

const newestFirst = (
  found: readonly OperationSummary[],
  held: ReadonlySet<string>,
): readonly OperationSummary[] =>
  [...new Map(found.map((summary) => [summary.operation, summary])).values()]
    .sort((left, right) => (left.operation < right.operation ? 1 : -1))
    .map((summary) => presentSummary(summary, held));
