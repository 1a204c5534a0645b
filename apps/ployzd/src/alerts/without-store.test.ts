import type { StoreStatus } from "@ployz/primitives/client";
import { expect, it } from "vitest";
import { sendsWithoutStore } from "./without-store.ts";

const members = ["m1", "m2", "m3", "m10"];
const sends = (
  self: string,
  views: readonly string[],
  {
    state = "no-quorum",
    ms = 90_000,
    before = views,
  }: {
    readonly state?: StoreStatus["state"];
    readonly ms?: number;
    readonly before?: readonly string[] | "none";
  } = {},
) =>
  sendsWithoutStore(
    self,
    members,
    {
      state,
      views: views.map((machine) => ({ machine })),
      before: before === "none" ? undefined : before,
    },
    ms,
  );

it("is sent by the lowest name of those that answer each other", () => {
  expect(sends("m2", ["m2", "m3", "m10"])).toBe(true);
  expect(sends("m3", ["m2", "m3", "m10"])).toBe(false);
  expect(sends("m10", ["m2", "m10"])).toBe(false);
});

it("is sent by a machine that no other one answers", () => {
  expect(sends("m10", ["m10"])).toBe(true);
  expect(sends("m10", [])).toBe(true);
});

it("is not sent while the store answers others, or moves", () => {
  expect(sends("m2", ["m2", "m3"], { state: "open" })).toBe(false);
  expect(sends("m2", ["m2", "m3"], { state: "fenced" })).toBe(false);
});

it("is sent after half a minute when another machine confirms it, else after one and a half", () => {
  expect(sends("m2", ["m2", "m3"], { ms: 30_000 })).toBe(true);
  expect(sends("m2", ["m2"], { ms: 89_999 })).toBe(false);
  expect(sends("m2", ["m2", "m3"], { state: "unreachable", ms: 89_999 })).toBe(false);
  expect(sends("m2", ["m2", "m3"], { state: "unreachable" })).toBe(true);
});

it("is sent by a higher name once the lower ones have missed two looks", () => {
  expect(sends("m2", ["m2", "m3"], { before: "none" })).toBe(false);
  expect(sends("m2", ["m2", "m3"], { before: ["m1", "m2"] })).toBe(false);
  expect(sends("m2", ["m2", "m3"], { before: ["m2"] })).toBe(true);
  expect(sends("m1", ["m1", "m3"], { before: "none" })).toBe(true);
});
