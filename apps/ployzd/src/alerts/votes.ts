/** Round trips to a machine as others measured them; null: no answer. A machine that could not measure is absent. */
export type Votes = Readonly<Record<string, number | null>>;

/**
 * `silent`: a majority of the others gets no answer from the machine either. `daemon`: the machine answers them, and its daemon does not.
 * `here`: only the path from `self` is broken. Pure.
 */
export function verdict(votes: Votes, self: string): "silent" | "daemon" | "here" {
  const all = Object.values(votes);
  const silent = all.filter((one) => one === null).length;
  if (silent * 2 > all.length || all.length === 0) return "silent";
  return votes[self] === null ? "here" : "daemon";
}
