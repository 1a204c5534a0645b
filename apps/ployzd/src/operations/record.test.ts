import type { JournalEntry, OperationEvent } from "@ployz/primitives/protocol";
import { createMemoryStore } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { followElsewhere, mayGoOn, recordOf } from "./record.ts";

const ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const never = new AbortController().signal;
const QUICK = { leaseMs: 10, takeoverMs: 300 };

/** A deploy whose daemon on m1 was killed, `agoMs` ago. */
async function lost(agoMs = 0) {
  const store = createMemoryStore({ clock: systemClock });
  let at = 0;
  const append = (entry: Record<string, unknown>, t = Date.now()) =>
    store.journals.append(ID, at++, { run: ID, t, ...entry } as JournalEntry);
  const died = Date.now() - agoMs;
  const of = { operation: ID, primitive: "deploy", version: 1, input: {}, scope: ["deploy.prod"] };
  await append({ type: "opened", ...of, coordinator: "m1", by: "root@m1" }, died);
  await append({ type: "interrupted", error: { code: "interrupted", message: "the daemon stopped" } }, died);
  return { store, append };
}

async function last(events: AsyncIterable<OperationEvent>, first: () => unknown = () => {}) {
  const seen: OperationEvent[] = [];
  for await (const event of events) {
    if (seen.push(event) === 1) await first();
  }
  return { types: seen.map(({ type }) => type), result: seen.at(-1) };
}

it("one that lost its runner is followed to the end that another machine gives it", async () => {
  const { store, append } = await lost();
  expect(await mayGoOn(store, await recordOf(store, ID))).toBe(true);
  const { types, result } = await last(followElsewhere(store, ID, never, QUICK), async () => {
    const holder = { operation: ID, machine: "m2" };
    await store.leases.acquire("deploy.prod", holder, 60_000);
    await append({ type: "resumed", coordinator: "m2", why: "interrupted" });
    // Longer than it would be waited for without a runner.
    setTimeout(() => {
      void append({ type: "committed", revision: 7 }).then(() =>
        append({ type: "ended", state: "done", owed: [] }),
      );
    }, 2 * QUICK.takeoverMs);
  });
  expect(types).toEqual(["waiting", "result"]);
  expect(result).toMatchObject({ result: { state: "done", changed: true, revision: 7 } });
});

it("one that no machine takes over stays interrupted, and is not followed for ever", async () => {
  const { store } = await lost();
  const { result } = await last(followElsewhere(store, ID, never, QUICK));
  expect(result).toMatchObject({ result: { state: "interrupted", changed: false } });
});

it("one that has been without a runner for long, or has ended, is not waited for", async () => {
  const old = await lost(60_000);
  expect(await mayGoOn(old.store, await recordOf(old.store, ID))).toBe(false);
  const { store, append } = await lost();
  await append({ type: "ended", state: "failed", owed: [] });
  expect(await mayGoOn(store, await recordOf(store, ID))).toBe(false);
});

it("its journal is read once, however many entries it gets while it is followed", async () => {
  const { store, append } = await lost();
  const steps = Array.from({ length: 40 }, (_, at) => ({
    ...{ id: `s${at}`, kind: "k", args: null, title: `step ${at}`, needs: [] },
  }));
  const plan = { basis: [], prepare: steps, settle: [], summary: {}, changes: true, warnings: [] };
  await append({ type: "resumed", coordinator: "m2", why: "interrupted" });
  await append({ type: "planned", plan });
  await append({ type: "step-started", step: "s0" });
  let reads = 0;
  const journals: typeof store.journals = {
    ...store.journals,
    read(operation) {
      reads += 1;
      return store.journals.read(operation);
    },
  };
  const events: OperationEvent[] = [];
  const holder = { operation: ID, machine: "m2" };
  await store.leases.acquire("deploy.prod", holder, 60_000);
  for await (const event of followElsewhere({ ...store, journals }, ID, never, { leaseMs: 60_000 })) {
    events.push(event);
    if (events.length > 1) continue;
    await append({ type: "step-done", step: "s0", out: null });
    for (const { id } of steps.slice(1)) {
      await append({ type: "step-started", step: id });
      await append({ type: "step-done", step: id, out: null });
    }
    await append({ type: "committed", revision: 7 });
    await append({ type: "ended", state: "done", owed: [] });
  }
  const seen = events.flatMap((event) => (event.type === "step" ? `${event.step} ${event.state}` : []));
  expect(seen).toEqual(steps.flatMap(({ id }) => [`${id} started`, `${id} done`]));
  expect(events.at(-1)).toMatchObject({ type: "result", result: { state: "done", revision: 7 } });
  // Before it is followed, its lease, and for its result.
  expect(reads).toBeLessThan(6);
});
