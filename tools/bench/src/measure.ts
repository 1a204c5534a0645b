/** One measured variant: each call returns one number per metric of the suite. */
export interface Variant {
  readonly name: string;
  sample(): Promise<Readonly<Record<string, number>>>;
}

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
}

export interface Row {
  readonly variant: string;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** This median over the baseline's; absent for the baseline. */
  readonly ratio?: number;
}

export interface Comparison {
  readonly title: string;
  readonly baseline: string;
  readonly rounds: number;
  readonly rows: readonly Row[];
  /** Variants that could not be compared, and why. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  /** Slowest over fastest round of a fixed workload: the drift of the machine itself. */
  readonly drift: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return Number.isInteger(middle) ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
}

export interface Plan {
  readonly title: string;
  readonly variants: readonly Variant[];
  readonly metrics: readonly Metric[];
  /** Name of the baseline variant. */
  readonly baseline: string;
  readonly rounds: number;
  readonly missing?: readonly string[];
  readonly notes?: readonly string[];
  progress?(text: string): void;
}

/**
 * Interleaved: every round measures every variant once, each round starting with another one, so that drift affects all variants alike. The
 * ratio is the median of the per-round ratios.
 */
export async function compare(plan: Plan): Promise<Comparison> {
  const { variants, metrics, baseline, rounds } = plan;
  const samples = new Map(variants.map(({ name }) => [name, [] as Readonly<Record<string, number>>[]]));
  const speeds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    speeds.push(fixedWork());
    for (let step = 0; step < variants.length; step++) {
      const variant = variants[(round + step) % variants.length];
      if (variant === undefined) continue;
      plan.progress?.(`${plan.title}: round ${round + 1} of ${rounds}, ${variant.name}`);
      samples.get(variant.name)?.push(await variant.sample());
    }
  }
  const of = (variant: string, metric: string) =>
    (samples.get(variant) ?? []).map((sample) => sample[metric] ?? Number.NaN);
  const rows = metrics.flatMap(({ name, unit }) =>
    variants.map((variant): Row => {
      const values = of(variant.name, name);
      const base = of(baseline, name);
      return {
        variant: variant.name,
        metric: name,
        unit,
        median: median(values),
        min: Math.min(...values),
        max: Math.max(...values),
        ...(variant.name !== baseline && {
          ratio: median(values.map((value, round) => value / (base[round] ?? Number.NaN))),
        }),
      };
    }),
  );
  return {
    title: plan.title,
    baseline,
    rounds,
    rows,
    missing: plan.missing ?? [],
    notes: plan.notes ?? [],
    drift: Math.max(...speeds) / Math.min(...speeds),
  };
}

/** Milliseconds that this machine needs for a fixed amount of arithmetic. */
function fixedWork(): number {
  const start = performance.now();
  let value = 1;
  for (let index = 0; index < 40_000_000; index++) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0;
  const ms = performance.now() - start;
  return value === 0.5 ? 0 : ms; // use the value, so that the loop is not optimised away
}

/** Median of `count` timings of one asynchronous call, in milliseconds. */
export async function timeEach(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await call(index);
    times.push(performance.now() - start);
  }
  return median(times);
}
