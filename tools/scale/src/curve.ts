/** One figure over the number of machines. */
export interface Curve {
  readonly name: string;
  readonly unit: string;
  /** The highest value that is wanted at any size, in `unit`. */
  readonly target?: number;
  readonly points: readonly Point[];
}

export interface Point {
  readonly machines: number;
  readonly value: number;
}

/** A figure at one size. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly target?: number;
}

/** Measures at one size, and removes what it made. */
export type Suite = (options: {
  readonly machines: number;
  progress(text: string): void;
  /** A part of the suite failed; the others continue. */
  failed(part: string, error: unknown): void;
}) => Promise<readonly Figure[]>;

/** The figures of each size, put together by name, in the order in which they came. */
export function curvesOf(sizes: ReadonlyMap<number, readonly Figure[]>): readonly Curve[] {
  const curves = new Map<string, Curve & { readonly points: Point[] }>();
  for (const [machines, figures] of sizes)
    for (const { value, ...figure } of figures) {
      const curve = curves.get(figure.name) ?? { ...figure, points: [] };
      curves.set(figure.name, curve);
      curve.points.push({ machines, value });
    }
  return [...curves.values()];
}

/**
 * The exponent of machines by which a figure grows between two sizes: 1 for twice as much at twice as many. Between the largest size
 * and the largest one that is at most half of it: small sizes show fixed costs. `undefined` without such a pair.
 */
export function growthOf({ points }: Pick<Curve, "points">): number | undefined {
  const sorted = points.filter(({ value }) => value > 0).toSorted((a, b) => a.machines - b.machines);
  const last = sorted.at(-1);
  const before = sorted.findLast(({ machines }) => last !== undefined && machines <= last.machines / 2);
  if (last === undefined || before === undefined) return undefined;
  return Math.log(last.value / before.value) / Math.log(last.machines / before.machines);
}

/** The value that this share of all is at most; `share` of 0.99 is p99. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
