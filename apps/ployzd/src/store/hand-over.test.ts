import type { StoreEvent } from "@ployz/primitives/client";
import type { MachineRecord, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { handingOver, successors } from "./hand-over.ts";

test.each([
  [["m1"], "m1", ["m3", "m2"], ["m2"]],
  [["m1", "m2", "m3"], "m2", ["m10", "m4"], ["m1", "m3", "m4"]],
  [["m1", "m2", "m3"], "m1", ["m1", "m3"], ["m3"]],
  [["m1", "m2", "m3", "m4", "m5"], "m5", ["m1", "m2", "m3", "m4"], ["m1", "m2", "m3"]],
  [["m1"], "m1", ["m1"], undefined],
])("%j without %s, where %j could: %j", (present, leaving, takers, expected) => {
  expect(successors(present, leaving, takers)).toEqual(expected);
});

const member = (id: string, store: boolean) => ({ id, store, state: "active" }) as MachineRecord;
const RM: OperationRequest = {
  primitive: "machine-rm",
  input: { machine: "m1" },
  mode: "apply",
  by: "someone",
};
const REFUSED = {
  type: "refused",
  refusals: [{ code: "no_machine_fits", message: "it does not fit" }],
} as const;

function deps(refusesPreview = false) {
  const done: unknown[] = [];
  return {
    done,
    members: () => [member("m1", true), member("m2", false), member("m3", false)],
    answering: () => Promise.resolve(["m1", "m3"]),
    async *move(move: unknown): AsyncGenerator<StoreEvent> {
      done.push(move);
      yield { type: "waiting", what: "moving" };
    },
    async *run({ mode, input }: OperationRequest): AsyncGenerator<OperationEvent> {
      done.push([mode, input]);
      if (refusesPreview) yield REFUSED;
    },
  };
}
const all = async (events: AsyncIterable<unknown>) => {
  const seen: unknown[] = [];
  for await (const event of events) seen.push(event);
  return seen;
};
const MOVES = { from: ["m1"], to: ["m3"] };

test("the store moves once the removal is planned, and before it is begun", async () => {
  const on = deps();
  expect(await all(handingOver(RM, on))).toEqual([{ type: "waiting", what: "moving" }]);
  expect(on.done).toEqual([
    ["preview", { machine: "m1", storeMoves: MOVES }],
    { action: "promote", machines: ["m3"], replicas: 1 },
    ["apply", { machine: "m1" }],
  ]);
});

test("a removal that is refused leaves the store where it is", async () => {
  const on = deps(true);
  expect(await all(handingOver(RM, on))).toEqual([REFUSED]);
  expect(on.done).toHaveLength(1);
});

test("a client cannot claim that the store moves", async () => {
  const on = deps();
  await all(handingOver({ ...RM, input: { machine: "m2", storeMoves: MOVES } }, on));
  expect(on.done).toEqual([["apply", { machine: "m2" }]]);
});
