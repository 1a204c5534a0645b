import { expect, test } from "vitest";
import { compare, median } from "./measure.ts";
import { markdown } from "./report.ts";

test("the median of an even number of values is between the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 5])).toBe(5);
});

test("a machine that gets slower meanwhile does not change the ratio", async () => {
  let speed = 1;
  const order: string[] = [];
  const variant = (name: string, cost: number) => ({
    name,
    async sample() {
      order.push(name);
      if (order.length % 2 === 0) speed *= 2;
      const round = 2 ** Math.floor((order.length - 1) / 2);
      return { time: cost * round };
    },
  });
  const result = await compare({
    title: "t",
    variants: [variant("bare", 10), variant("ours", 11)],
    metrics: [{ name: "time", unit: "ms", better: "lower" }],
    baseline: "bare",
    rounds: 5,
  });
  expect(speed).toBe(32);
  expect(order.slice(0, 4)).toEqual(["bare", "ours", "ours", "bare"]);
  expect(result.rows.find(({ variant: name }) => name === "ours")?.ratio).toBeCloseTo(1.1);
});

test("a report prints the ratio first, and missing programs", async () => {
  const result = await compare({
    title: "Gateway",
    variants: [
      { name: "bare", sample: async () => ({ rate: 100 }) },
      { name: "ours", sample: async () => ({ rate: 96 }) },
    ],
    metrics: [{ name: "rate", unit: "req/s", better: "higher" }],
    baseline: "bare",
    rounds: 2,
    missing: ["caddy: not installed"],
  });
  const text = markdown(result);
  expect(text).toContain("| ours | **0.96** | 96 | 96 to 96 |");
  expect(text).toContain("Not compared: caddy: not installed");
});
