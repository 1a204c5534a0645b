/** So many requests of one address at once, and one more each second. */
const BURST = 10;
const PER_MS = 1 / 1_000;
/** Of addresses that are remembered; an attacker has more, and is then only held up by what a request costs. */
const MOST = 1_000;

/** Says whether a request from this address may be looked at. `now` in milliseconds. */
export function openRate(now: () => number): (address: string) => boolean {
  const seen = new Map<string, { tokens: number; at: number }>();
  return (address) => {
    const at = now();
    const bucket = seen.get(address) ?? { tokens: BURST, at };
    seen.delete(address); // the newest last: what is forgotten is what was silent for longest
    seen.set(address, bucket);
    const [oldest] = seen.keys();
    if (seen.size > MOST && oldest !== undefined) seen.delete(oldest);
    bucket.tokens = Math.min(BURST, bucket.tokens + (at - bucket.at) * PER_MS);
    bucket.at = at;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}
