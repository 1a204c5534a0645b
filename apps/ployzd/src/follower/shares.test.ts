import { expect, it } from "vitest";
import { weightsOf } from "./shares.ts";

it.each([
  [1, 1, 10, { first: 9, second: 1 }],
  [3, 1, 10, { first: 3, second: 1 }],
  [1, 1, 50, { first: 1, second: 1 }],
  [2, 3, 60, { first: 1, second: 1 }],
  [1, 1, 1, { first: 99, second: 1 }],
  [1, 1, 99, { first: 1, second: 99 }],
])("%i and %i servers at %i %%", (first, second, share, weights) => {
  expect(weightsOf(first, second, share)).toEqual(weights);
});

it("is within a fifth of a percent for any numbers that a canary makes", () => {
  const faults = [1, 2, 3, 7, 10, 33, 64, 200].flatMap((first) =>
    Array.from({ length: 99 }, (_, index) => {
      const share = index + 1;
      const second = Math.max(1, Math.ceil((first * share) / 100));
      const weights = weightsOf(first, second, share);
      const got = (100 * second * weights.second) / (second * weights.second + first * weights.first);
      return Math.abs(got - share);
    }),
  );
  expect(Math.max(...faults)).toBeLessThan(0.2);
});
