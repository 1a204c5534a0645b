import { PloyzError } from "@ployz/errors";
import type { Rpc } from "@ployz/nats-store";
import type { MachineRecord, Machines, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { type ForwardDeps, forward } from "./forward.ts";

const RM: OperationRequest = {
  primitive: "machine-rm",
  input: { machine: "m1" },
  mode: "apply",
  by: "someone",
};
const ACCEPTED: OperationEvent = {
  type: "accepted",
  operation: "01A",
  primitive: "machine-rm",
  resumed: false,
};
const RESULT = { type: "result", result: { operation: "01A", state: "done" } } as unknown as OperationEvent;
const lost = (code = "stream_interrupted") => new PloyzError({ code, message: "lost" });

async function* told(...events: readonly (OperationEvent | Error)[]): AsyncGenerator<OperationEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

function deps(
  stream: readonly (OperationEvent | Error)[],
  record: readonly (OperationEvent | Error)[] = [],
  left?: Promise<void>,
): ForwardDeps {
  const record1 = (id: string) => ({ id, state: "active", store: false }) as MachineRecord;
  return {
    rpc: { callStream: () => told(...stream) } as unknown as Rpc,
    machines: { call: () => Promise.resolve({ running: false }) } as unknown as Machines,
    self: "m1",
    signal: new AbortController().signal,
    members: () => [record1("m1"), record1("m2")],
    follow: () => told(...record),
    left: () => left,
  };
}
const all = async (events: AsyncIterable<OperationEvent>) => {
  const seen: OperationEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
};

test("the peer's events are forwarded", async () => {
  expect(await all(forward(RM, deps([ACCEPTED, RESULT])))).toEqual([ACCEPTED, RESULT]);
});

test("a part that is lost on the way is read from the record", async () => {
  const on = deps([ACCEPTED, lost()], [RESULT]);
  expect(await all(forward(RM, on))).toEqual([ACCEPTED, RESULT]);
});

test("when this machine has left by it, that is the result", async () => {
  const on = deps([ACCEPTED, lost("machine_unreachable")], [], Promise.resolve());
  expect((await all(forward(RM, on))).at(-1)).toMatchObject({ type: "result", result: { state: "done" } });
});

test.each([
  ["before it was accepted", [lost()], [RESULT], "stream_interrupted"],
  ["for another reason", [ACCEPTED, lost("store_unavailable")], [RESULT], "store_unavailable"],
  ["and the record has no end", [ACCEPTED, lost()], [], "machine_unreachable"],
])("nothing is called done that is lost %s", async (_, stream, record, code) => {
  await expect(all(forward(RM, deps(stream, record)))).rejects.toMatchObject({ code });
});
