import { expect, it } from "vitest";
import { curvesOf, growthOf, quantile } from "./curve.ts";
import { table } from "./report.ts";

const of = (...points: [machines: number, value: number][]) => ({
  points: points.map(([machines, value]) => ({ machines, value })),
});

it("a figure's growth is the exponent between the largest size and the largest that is half of it", () => {
  expect(growthOf(of([3, 900], [50, 10], [100, 20]))).toBeCloseTo(1);
  expect(growthOf(of([50, 10], [99, 11], [100, 40]))).toBeCloseTo(2);
  expect(growthOf(of([10, 5], [100, 5]))).toBeCloseTo(0);
  expect(growthOf(of([60, 5], [100, 5]))).toBeUndefined();
  expect(growthOf(of([10, 0], [100, 0]))).toBeUndefined();
});

it("a quantile is a value that was measured", () => {
  expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
  expect(quantile([1, 2], 0.99)).toBe(2);
  expect(quantile([7], 0.5)).toBe(7);
});

it("a curve has the figures of every size under one name, and its row says what missed the target", () => {
  const figure = (value: number) => ({ name: "plan", unit: "ms", target: 1000, value });
  const curves = curvesOf(
    new Map([
      [10, [figure(12.34), { name: "only small", unit: "kB", value: 1 }]],
      [100, [figure(1234)]],
    ]),
  );
  expect(table(curves, [10, 100])).toBe(
    [
      "| | 10 | 100 | growth | target |",
      "|---|---|---|---|---|",
      "| plan, ms | 12.3 | **1234** | 2.0 | 1000 |",
      "| only small, kB | 1.0 | | | |",
    ].join("\n"),
  );
});
