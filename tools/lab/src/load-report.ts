/** One request of a load run. Times are milliseconds since the run's start. */
export interface Sample {
  /** The scheduled time. */
  readonly dueMs: number;
  readonly endMs: number;
  /** HTTP status; absent when there was no answer. */
  readonly status?: number;
  readonly error?: string;
}

export interface LoadOptions {
  readonly url: string;
  /** Requests per second, sent on schedule whether or not earlier ones were answered. */
  readonly rate: number;
  readonly seconds: number;
  /** `Host` header. */
  readonly host?: string;
  /** A request slower than this is reported as late. */
  readonly lateMs: number;
  readonly timeoutMs: number;
  /** Reuse connections. Off, each request opens its own, so that the close of an idle connection does not count as a failure. */
  readonly keepAlive: boolean;
}

export interface LoadReport {
  readonly kind: "lab-load";
  readonly url: string;
  readonly rate: number;
  /** How long it ran. */
  readonly seconds: number;
  readonly startedAt: string;
  readonly sent: number;
  readonly ok: number;
  /** No answer, or a status of 400 and above. */
  readonly failed: number;
  readonly late: number;
  /** The longest time in which no request succeeded, the run's two ends included. */
  readonly longestGapMs: number;
  /** Latency of the successful ones, from the scheduled time on; null when none succeeded. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly atMs: number; readonly afterMs: number; readonly reason: string }[];
  readonly lates: readonly { readonly atMs: number; readonly afterMs: number }[];
}

/** Sums up a run. Pure. */
export function summarize(
  options: LoadOptions,
  startedAt: string,
  endMs: number,
  samples: readonly Sample[],
): LoadReport {
  const good = samples.filter(succeeded);
  const latencies = good.map((sample) => sample.endMs - sample.dueMs).sort((a, b) => a - b);
  const statuses: Record<string, number> = {};
  for (const { status } of samples) {
    const key = status === undefined ? "none" : String(status);
    statuses[key] = (statuses[key] ?? 0) + 1;
  }
  const late = good.filter((sample) => sample.endMs - sample.dueMs > options.lateMs);
  const failures = samples.filter((sample) => !succeeded(sample));
  return {
    kind: "lab-load",
    url: options.url,
    rate: options.rate,
    seconds: round(endMs / 1000),
    startedAt,
    sent: samples.length,
    ok: good.length,
    failed: failures.length,
    late: late.length,
    longestGapMs: round(longestGap(good, endMs)),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    maxMs: quantile(latencies, 1),
    statuses,
    failures: failures.map((sample) => ({
      atMs: round(sample.dueMs),
      afterMs: round(sample.endMs - sample.dueMs),
      reason: sample.error ?? `status ${sample.status}`,
    })),
    lates: late.map((sample) => ({ atMs: round(sample.dueMs), afterMs: round(sample.endMs - sample.dueMs) })),
  };
}

const succeeded = (sample: Sample): boolean => sample.status !== undefined && sample.status < 400;
const round = (value: number): number => Math.round(value * 100) / 100;

function longestGap(good: readonly Sample[], endMs: number): number {
  let longest = 0;
  let last = 0;
  for (const at of [...good.map((sample) => sample.endMs).sort((a, b) => a - b), endMs]) {
    longest = Math.max(longest, at - last);
    last = Math.max(last, at);
  }
  return longest;
}

/** Nearest rank: the smallest value that at least `share` of all are not above. */
function quantile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return value === undefined ? null : round(value);
}
