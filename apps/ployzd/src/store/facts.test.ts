import type { Entry, Json } from "@ployz/primitives/protocol";
import { expect, it } from "vitest";
import { wantedFacts } from "./facts.ts";

const machine = (id: string, store: boolean) => ({ id, store, address: `10.101.0.${id.slice(1)}` });
const standing = (facts: Readonly<Record<string, Json>>): readonly Entry<Json>[] =>
  Object.entries(facts).map(([key, value], at) => ({ key, value, revision: at + 1 }));

it("says which machines hold the new generation, and touches nothing else", () => {
  const now = standing({
    cluster: { name: "c", generation: 1 },
    "machine.m1": machine("m1", true),
    "machine.m2": machine("m2", false),
    "machine.m3": machine("m3", false),
    "subnet.1": { machine: "m1" },
  });
  expect(wantedFacts(now, { generation: 2, stores: ["m2"], members: null })).toEqual([
    { key: "cluster", value: { name: "c", generation: 2 }, expected: 1 },
    { key: "machine.m1", value: machine("m1", false), expected: 2 },
    { key: "machine.m2", value: machine("m2", true), expected: 3 },
  ]);
});

it("restored from an older backup, keeps who is a member now: neither cut off nor back from the dead", () => {
  const backup = standing({
    cluster: { name: "c", generation: 1 },
    "machine.m1": machine("m1", true),
    "machine.m9": machine("m9", false),
    "subnet.9": { machine: "m9" },
  });
  const members = {
    cluster: { name: "c", generation: 4 },
    "machine.m1": machine("m1", true),
    "machine.m2": machine("m2", false),
    "subnet.2": { machine: "m2" },
  };
  expect(wantedFacts(backup, { generation: 5, stores: ["m1"], members })).toEqual([
    { key: "cluster", value: { name: "c", generation: 5 }, expected: 1 },
    { key: "machine.m2", value: machine("m2", false), expected: 0 },
    { key: "subnet.2", value: { machine: "m2" }, expected: 0 },
    { key: "machine.m9", expected: 3 },
    { key: "subnet.9", expected: 4 },
  ]);
});
