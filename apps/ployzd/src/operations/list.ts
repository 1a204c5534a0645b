import { presentSummary } from "@ployz/primitives/host";
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
