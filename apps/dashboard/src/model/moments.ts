export interface Moment<T> {
  readonly item: T;
  /** Where it is on the line, 0 to 1. */
  readonly at: number;
}

export interface TimeLine<T> {
  readonly moments: readonly Moment<T>[];
  readonly from: number;
  readonly to: number;
}

/** Moments on a line from the first one to `now`. Pure. */
export function timeLine<T>(items: readonly T[], timeOf: (item: T) => string, now: number): TimeLine<T> {
  const timed = items
    .map((item) => ({ item, time: Date.parse(timeOf(item)) }))
    .filter(({ time }) => Number.isFinite(time))
    .sort((a, b) => a.time - b.time);
  const from = Math.min(timed[0]?.time ?? now, now - 60_000);
  const to = Math.max(now, timed.at(-1)?.time ?? now);
  return { from, to, moments: timed.map(({ item, time }) => ({ item, at: (time - from) / (to - from) })) };
}
