import { describe, expect, it } from "vitest";
import { type StoreChange, wantedStores } from "./wanted.ts";

const members = ["m1", "m2", "m3", "m4", "m10"];
const wanted = (change: StoreChange, present: readonly string[]) => {
  const { machines, refusals } = wantedStores(change, present, members);
  return refusals.length > 0 ? refusals.map(({ code }) => code) : machines;
};
const promote = (machines: readonly string[], replicas?: number): StoreChange => ({
  ...{ action: "promote", machines },
  ...(replicas !== undefined && { replicas }),
});
const demote = (...machines: string[]): StoreChange => ({ action: "demote", machines });

describe("the machines that hold the store in the end", () => {
  it.each([
    [promote(["m1", "m2", "m3"], 3), ["m1"], ["m1", "m2", "m3"]],
    [promote(["m10", "m2"], 3), ["m1"], ["m1", "m2", "m10"]],
    [promote(["m3", "m2"]), ["m1"], ["m1", "m2", "m3"]],
    [promote(["m2"], 1), ["m1"], ["m2"]],
    [promote(["m1"]), ["m1"], ["m1"]],
    [demote("m1", "m3"), ["m1", "m2", "m3"], ["m2"]],
    [demote("m4"), ["m1"], ["m1"]],
  ])("%j of %j: %j", (change, present, expected) => {
    expect(wanted(change, present)).toEqual(expected);
  });

  it.each([
    [promote(["m2"]), ["m1"], ["store_set_size"]],
    [promote(["m2", "m3", "m4"]), ["m1"], ["store_set_size"]],
    [promote(["m2", "m3"], 5), ["m1"], ["store_set_size"]],
    [promote(["m2", "m8"], 3), ["m1"], ["no_such_machine"]],
    [demote("m3"), ["m1", "m2", "m3"], ["store_set_size"]],
    [demote("m1"), ["m1"], ["store_set_size"]],
  ])("%j of %j is refused: %j", (change, present, codes) => {
    expect(wanted(change, present)).toEqual(codes);
  });
});
