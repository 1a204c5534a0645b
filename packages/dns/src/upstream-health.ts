/** A resolver for names outside the zone. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** Which upstreams do not answer. A question goes to the others first, so that only the first one waits for a dead upstream. */
export interface UpstreamHealth {
  /** Those that answer, then the silent ones; each in the order given. */
  order(upstreams: readonly Upstream[]): readonly Upstream[];
  /** Silent ones that a question should also be sent to, to learn whether they are back. At most one question in `RETRY_MS` each. */
  due(upstreams: readonly Upstream[]): readonly Upstream[];
  answered(upstream: Upstream): void;
  silent(upstream: Upstream): void;
  isSilent(upstream: Upstream): boolean;
}

const RETRY_MS = 5_000;

/** `now` in milliseconds. */
export function trackUpstreams(now: () => number): UpstreamHealth {
  /** When each silent one is asked again. */
  const retries = new Map<string, number>();
  const keyOf = ({ address, port }: Upstream) => `${address} ${port}`;
  const isSilent = (upstream: Upstream) => retries.has(keyOf(upstream));
  return {
    isSilent,
    order: (upstreams) => [
      ...upstreams.filter((upstream) => !isSilent(upstream)),
      ...upstreams.filter(isSilent),
    ],
    due(upstreams) {
      const found = upstreams.filter((upstream) => (retries.get(keyOf(upstream)) ?? Infinity) <= now());
      for (const upstream of found) retries.set(keyOf(upstream), now() + RETRY_MS);
      return found;
    },
    answered: (upstream) => void retries.delete(keyOf(upstream)),
    silent(upstream) {
      if (!isSilent(upstream)) retries.set(keyOf(upstream), now() + RETRY_MS);
    },
  };
}
