import type { ObservedSnapshot } from "@ployz/primitives";

/**
 * What the difference is sent from: our newest snapshot, if the other side has it and it is not newer than what we want. `undefined`:
 * nothing in common, or we have snapshots that they do not know. Named as they name it. Both lists are oldest first.
 */
export function commonBase(
  ours: readonly ObservedSnapshot[],
  theirs: readonly ObservedSnapshot[],
  wanted: string,
): ObservedSnapshot | undefined {
  const newest = ours.at(-1);
  const at = theirs.findIndex(({ guid }) => guid === newest?.guid);
  return at !== -1 && at <= theirs.findIndex(({ name }) => name === wanted) ? theirs[at] : undefined;
}
