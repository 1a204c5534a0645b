/** A token bucket for each address: this burst, and one more request each second. */
const BURST = 10;
const PER_MS = 1 / 1_000;
/** The number of addresses kept; an attacker with more is limited only by the cost of a request. */
const MOST = 1_000;

/** Whether to handle a request from this address. `now` in milliseconds. */
export function openRate(now: () => number): (address: string) => boolean {
  const seen = new Map<string, { tokens: number; at: number }>();
  return (address) => {
    const at = now();
    const bucket = seen.get(address) ?? { tokens: BURST, at };
    seen.delete(address); // newest last: drops the address that was silent longest
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
