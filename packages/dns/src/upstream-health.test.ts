import { expect, it } from "vitest";
import { trackUpstreams } from "./upstream-health.ts";

const [first, second] = [
  { address: "192.0.2.1", port: 53 },
  { address: "192.0.2.2", port: 53 },
];

it("asks a silent upstream last, and beside the others every few seconds, until it answers", () => {
  let now = 0;
  const health = trackUpstreams(() => now);
  health.silent(first);
  expect(health.order([first, second])).toEqual([second, first]);
  expect(health.due([first, second])).toEqual([]);
  now += 5_000;
  expect(health.due([first, second])).toEqual([first]);
  expect(health.due([first, second])).toEqual([]);
  health.answered(first);
  expect(health.order([first, second])).toEqual([first, second]);
});
