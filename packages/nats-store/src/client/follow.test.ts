import { expect, it } from "vitest";
import type { Session } from "../session.ts";
import { followStream } from "./follow.ts";

/** A session whose stream tells these lengths one after the other, and whose consumers deliver one message and break off. */
function telling(lengths: readonly number[], created: (look: number) => string = () => "then") {
  let [look, sequence] = [0, 0];
  const link = {
    jsm: {
      streams: {
        info: async () => {
          const last_seq = lengths[Math.min(look, lengths.length - 1)] ?? 0;
          return { created: created(look++), config: { metadata: {} }, state: { last_seq } };
        },
        getMessage: async () => null,
      },
      consumers: { add: async () => ({ num_pending: 1 }) },
    },
    nc: {
      subscribe(_: string, { callback }: { callback(error: null, message: unknown): void }) {
        sequence += 1;
        const reply = `$JS.ACK.facts.c.1.${sequence}.1.0.0`;
        setImmediate(() => callback(null, { subject: "a", reply, data: new Uint8Array() }));
        setTimeout(() => off(), 20);
        return { unsubscribe() {} };
      },
    },
  };
  let off = () => {};
  const session = {
    machine: "m1",
    link: async () => link as never,
    onEvent(listener: () => void) {
      off = listener;
      return () => {};
    },
  };
  return { session: session as never as Session, looks: () => look };
}

async function follow(session: Session, revisions: number): Promise<readonly number[]> {
  const seen: number[] = [];
  const stop = new AbortController();
  for await (const event of followStream(session, {
    ...{ stream: "facts", filters: ["a"], from: "all", signal: stop.signal },
  })) {
    if (event.type === "message" && seen.push(event.stored.revision) === revisions) stop.abort();
  }
  return seen;
}

it("a leader that is behind the last delivered message is waited for: the store was not rebuilt", async () => {
  const { session, looks } = telling([1, 0, 0, 2]);
  expect(await follow(session, 2)).toEqual([1, 2]);
  expect(looks()).toBe(4);
});

it("another stream under the same name is a store that was rebuilt", async () => {
  const { session } = telling([1, 1], (look) => (look === 0 ? "then" : "now"));
  await expect(follow(session, 2)).rejects.toMatchObject({ code: "store_refounded" });
});

it("is synced when it has the newest message of the leader, not when a replica that lags has no more", async () => {
  const { session } = telling([2]);
  const link = (await session.link()) as unknown as {
    jsm: { streams: object; consumers: object };
  };
  const newest = { subject: "a", seq: 2, data: new Uint8Array(), header: undefined };
  Object.assign(link.jsm.streams, { getMessage: async () => newest });
  let made = 0;
  // The first is on a replica that has nothing yet.
  Object.assign(link.jsm.consumers, { add: async () => ({ num_pending: made++ === 0 ? 0 : 1 }) });
  const events: unknown[] = [];
  for await (const event of followStream(session, {
    ...{ stream: "facts", filters: ["a"], from: "all", signal: new AbortController().signal },
  })) {
    events.push(event.type === "message" ? event.stored.revision : event);
    if (event.type === "synced") break;
  }
  expect(events).toEqual([2, { type: "synced", revision: 2 }]);
  expect(made).toBe(2);
});
