import type { ObservedSnapshot } from "@ployz/primitives/protocol";

/**
 * The base of an incremental transfer: our newest snapshot that the source has, if that is not newer than the wanted one. Newer ones that
 * only we have, such as those of a snapshot daemon, do not matter while nothing was written: ZFS refuses the difference otherwise.
 * `undefined`: no common snapshot. Uses the source's name. Both lists are oldest first.
 */
export function commonBase(
  ours: readonly ObservedSnapshot[],
  theirs: readonly ObservedSnapshot[],
  wanted: string,
): ObservedSnapshot | undefined {
  const places = new Map(theirs.map(({ guid }, at) => [guid, at]));
  const at = ours.flatMap(({ guid }) => places.get(guid) ?? []).at(-1);
  return at !== undefined && at <= theirs.findIndex(({ name }) => name === wanted) ? theirs[at] : undefined;
}
