import type { StoreStatus } from "@ployz/primitives/client";
import { expect, it } from "vitest";
import { sendsWithoutStore } from "./without-store.ts";

const members = ["m1", "m2", "m3", "m10"];
const sends = (self: string, views: readonly string[], state: StoreStatus["state"] = "no-quorum") =>
  sendsWithoutStore(self, members, { state, views: views.map((machine) => ({ machine })) });

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
  expect(sends("m2", ["m2", "m3"], "open")).toBe(false);
  expect(sends("m2", ["m2", "m3"], "fenced")).toBe(false);
});
