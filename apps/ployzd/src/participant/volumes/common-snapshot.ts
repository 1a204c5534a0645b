import type { ObservedSnapshot } from "@ployz/primitives/protocol";

/**
 * The base of an incremental transfer: our newest snapshot, if the source has it and it is not newer than the wanted one. `undefined`: no
 * common snapshot, or we have snapshots unknown to the source. Uses the source's name. Both lists are oldest first.
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
