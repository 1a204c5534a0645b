import { expect, it } from "vitest";
import { verdict } from "./votes.ts";

it.each([
  [{ m1: null, m2: null }, "silent"],
  [{ m1: null, m2: 3 }, "here"],
  [{ m1: 2, m2: null }, "daemon"],
  [{ m1: null, m2: null, m4: 1 }, "silent"],
  [{ m1: null, m2: 1, m4: 1 }, "here"],
  [{ m1: 1, m2: 1 }, "daemon"],
  [{ m1: null }, "silent"],
  [{}, "silent"],
])("%j is %s", (votes, expected) => {
  expect(verdict(votes, "m1")).toBe(expected);
});
