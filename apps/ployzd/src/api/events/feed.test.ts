import { setTimeout as delay } from "node:timers/promises";
import type { ClusterEvent, ClusterStatus, InstanceRow, MachineRow } from "@ployz/primitives/client";
import type { OperationSummary } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { channel } from "../../channel.ts";
import type { MemberChange } from "../../daemon/changes.ts";
import { differences, type Look, sampleOf } from "./differences.ts";
import { openFeed } from "./feed.ts";
import { eventQueue } from "./queue.ts";

const AT = "2026-11-29T10:00:00.000Z";
const machine = (id: string, reachable: boolean): MachineRow =>
  ({
    record: { id },
    reachable,
    ...(reachable && { observation: { load1: 0.5, memoryFreeBytes: 7, diskFreeBytes: 9 } }),
    ...(!reachable && { error: { code: "machine_unreachable", message: "silent" } }),
  }) as MachineRow;
const instance = (id: string, state: InstanceRow["state"], memoryBytes?: number): InstanceRow =>
  ({
    ...{ id, namespace: "prod", service: "web", machine: "m1", state },
    ...(memoryBytes !== undefined && { observed: { memoryBytes } }),
  }) as InstanceRow;
const look = (
  machines: readonly MachineRow[],
  instances: readonly InstanceRow[],
  warnings: ClusterStatus["warnings"] = [],
): Look => ({ status: { machines, warnings }, instances });

test("two looks differ by what became unreachable, what changed its state, and the warnings", () => {
  const alone = { message: "only m1 holds the store", hint: "promote" };
  const away = { message: "m2 does not answer", hint: "check it" };
  const before = look(
    [machine("m1", true), machine("m2", true)],
    [instance("a", "running"), instance("b", "running")],
    [alone],
  );
  const after = look(
    [machine("m1", true), machine("m2", false)],
    [instance("a", "unknown"), instance("c", "created")],
    [away],
  );
  const of = { namespace: "prod", service: "web", machine: "m1" };
  expect(differences(before, after, AT)).toEqual([
    {
      type: "reachable",
      at: AT,
      machine: "m2",
      reachable: false,
      error: { code: "machine_unreachable", message: "silent" },
    },
    { type: "instance", at: AT, id: "a", ...of, state: "unknown" },
    { type: "instance", at: AT, id: "c", ...of, state: "created" },
    { type: "instance", at: AT, id: "b", ...of },
    { type: "warning", at: AT, state: "raised", ...away },
    { type: "warning", at: AT, state: "cleared", ...alone },
  ]);
  expect(differences(after, after, AT)).toEqual([]);
  expect(
    sampleOf(
      look(
        [machine("m1", true), machine("m2", false)],
        [instance("a", "running", 5), instance("b", "unknown")],
      ),
      AT,
    ),
  ).toEqual({
    ...{ type: "sample", at: AT },
    machines: [{ machine: "m1", load1: 0.5, memoryFreeBytes: 7, diskFreeBytes: 9 }],
    instances: [{ id: "a", memoryBytes: 5 }],
  });
});

const summary = { operation: "OP", state: "running", title: "deploy prod" } as OperationSummary;

/** A cluster whose looks the test decides. */
function bench() {
  const listeners = new Set<(change: MemberChange) => void>();
  const operations = channel<OperationSummary>();
  const state = { looks: 0, now: look([machine("m1", true), machine("m2", true)], []) };
  const feed = openFeed({
    look: async () => {
      state.looks += 1;
      return state.now;
    },
    changes(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    operations: () => operations,
    now: () => Date.parse(AT),
    log(error) {
      throw error;
    },
  });
  const change = (one: MemberChange) => {
    for (const listener of listeners) listener(one);
  };
  return { feed, state, operations, listeners, change };
}

test("a follower gets commits and operations at once, and a new look right after them", async () => {
  const { feed, state, operations, change } = bench();
  const stop = new AbortController();
  const seen: ClusterEvent[] = [];
  for await (const event of feed.follow(false, stop.signal)) {
    seen.push(event);
    if (event.type === "following") {
      operations.push(summary);
      change({ type: "machine", machine: "m2", record: undefined });
      state.now = look([machine("m1", true), machine("m2", false)], []);
    }
    if (event.type === "reachable") break;
  }
  expect(seen.map(({ type }) => type)).toEqual(["following", "machine", "operation", "reachable"]);
  expect(state.looks).toBe(2);
});

test("samples go to those who asked, and nothing is looked at without a follower", async () => {
  const { feed, state, change, listeners } = bench();
  const stop = new AbortController();
  const kinds = async (samples: boolean) => {
    const seen: string[] = [];
    for await (const { type } of feed.follow(samples, stop.signal)) {
      seen.push(type);
      if (type === "following") change({ type: "machine", machine: "m1", record: undefined });
      if (type === "sample") stop.abort();
    }
    return seen;
  };
  const [withSamples, without] = await Promise.all([kinds(true), kinds(false)]);
  expect(withSamples).toContain("sample");
  expect(without).not.toContain("sample");
  expect(listeners.size).toBe(0);
  const looks = state.looks;
  await delay(400);
  expect(state.looks).toBe(looks);
});

test("a follower that does not read is ended with an error, and of its samples only the newest waits", async () => {
  const sample = (load1: number): ClusterEvent => ({
    type: "sample",
    at: AT,
    machines: [],
    instances: [{ id: "a", memoryBytes: load1 }],
  });
  const stop = new AbortController();
  const behind = eventQueue(stop.signal, 3);
  for (let n = 0; n < 100; n++) behind.push(sample(n));
  const next = await behind[Symbol.asyncIterator]().next();
  expect(next.value).toEqual(sample(99));
  const slow = eventQueue(stop.signal, 3);
  for (let n = 0; n < 5; n++) slow.push({ type: "machine", at: AT, machine: `m${n}` });
  await expect(slow[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "follower_slow" });
});
