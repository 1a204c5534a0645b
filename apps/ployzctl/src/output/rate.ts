import { bytes, duration } from "./page.ts";

/** Samples closer together than this do not change the rate. Milliseconds. */
const SAMPLE_MS = 500;
/** Weight of the newest sample. */
const WEIGHT = 0.3;

interface Sample {
  readonly at: number;
  readonly done: number;
  /** Bytes per millisecond, smoothed. */
  readonly rate?: number;
}

export interface Amount {
  readonly done: number;
  readonly total?: number | undefined;
}

/** ` 1.0G of 4.0G, 85M/s, 36 s left`, for transfers told apart by their key. */
export function transferText(now: () => number): (key: string, amount: Amount) => string {
  const samples = new Map<string, Sample>();
  return (key, { done, total }) => {
    const at = now();
    const before = samples.get(key);
    if (before === undefined || done < before.done) samples.set(key, { at, done });
    else if (at - before.at >= SAMPLE_MS) {
      const newest = (done - before.done) / (at - before.at);
      const rate = before.rate === undefined ? newest : before.rate * (1 - WEIGHT) + newest * WEIGHT;
      samples.set(key, { at, done, rate });
    }
    const { rate = 0 } = samples.get(key) ?? {};
    return [
      total === undefined ? ` ${bytes(done)}` : ` ${bytes(done)} of ${bytes(total)}`,
      ...(rate > 0 ? [`${bytes(rate * 1000)}/s`] : []),
      ...(rate > 0 && total !== undefined && total > done ? [`${duration((total - done) / rate)} left`] : []),
    ].join(", ");
  };
}
