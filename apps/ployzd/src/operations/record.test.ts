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
