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
