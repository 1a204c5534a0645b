/** Where one part of an image comes from, on one machine. */
export interface Chain {
  /** Machines whose own transfer of the part is followed, the next one first. */
  readonly follows: readonly string[];
  /** Machines that may have the whole part. */
  readonly others: readonly string[];
}

/** When the machine before does not answer, the ones before it. */
const REACH = 3;
/** So many begin at about the same time, whatever an operation's limit of steps is. */
const CIRCLE = 8;

/**
 * The machines that get an image together stand in circles, and each part begins at another one of a circle: that one takes the part from a machine that has
 * it, and each further one takes it from the machine before it, as it arrives there. So each part leaves a machine about once, and a circle has it about when
 * one machine has it; later circles take it from the earlier ones. No machine follows one behind it: a part never waits for itself. Pure.
 */
export function inChain(
  { sources, together = [] }: { readonly sources: readonly string[]; readonly together?: readonly string[] },
  self: string,
  part: number,
): Chain {
  const at = Math.max(0, together.indexOf(self));
  const begin = at - (at % CIRCLE);
  const circle = together.slice(begin, begin + CIRCLE);
  const place = circle.indexOf(self);
  const behind = place < 0 ? 0 : (place - (part % circle.length) + circle.length) % circle.length;
  const chain = Array.from(
    { length: Math.min(REACH, behind) },
    (_, back) => circle.at(place - 1 - back) ?? "",
  );
  const having = [...sources, ...together.slice(0, begin)];
  const turn = having.length === 0 ? 0 : (part + begin / CIRCLE) % having.length;
  const all = [...having.slice(turn), ...having.slice(0, turn), ...together];
  return { follows: chain, others: [...new Set(all)].filter((id) => id !== self && !chain.includes(id)) };
}
