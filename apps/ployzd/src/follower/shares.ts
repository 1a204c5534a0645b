const HEAVIEST = 256;

/**
 * Weights of two groups of servers that bring the second as near to `share` percent as HAProxy's 256 steps allow, whatever their numbers
 * are; the smallest such weights, so that requests alternate in short turns.
 */
export function weightsOf(
  first: number,
  second: number,
  share: number,
): { readonly first: number; readonly second: number } {
  const ratio = (share * first) / ((100 - share) * second);
  let best = { first: 1, second: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (let weight = 1; weight <= HEAVIEST; weight++) {
    const other = Math.min(HEAVIEST, Math.max(1, Math.round(ratio * weight)));
    const fault = Math.abs((100 * other * second) / (other * second + weight * first) - share);
    if (fault < least - 1e-9) {
      best = { first: weight, second: other };
      least = fault;
    }
  }
  return best;
}
