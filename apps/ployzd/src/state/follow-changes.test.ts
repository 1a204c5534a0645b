import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { followChanges } from "./follow-changes.ts";
import type { Records } from "./records.ts";

type Listener = Parameters<Records["onChange"]>[0];

/** A mirror that changes when the test says so, with the log and the number of rounds. */
function followed(apply: (round: number) => Promise<void>) {
  const listeners = new Set<Listener>();
  const control = new AbortController();
  const logged: unknown[] = [];
  let rounds = 0;
  const ended = followChanges(
    {
      mirror: {
        onChange(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      signal: control.signal,
      log: (error) => logged.push(error),
    },
    () => apply(++rounds),
  );
  return {
    logged,
    ended,
    listeners,
    rounds: () => rounds,
    change: (type: "changed" | "applied") => {
      for (const listener of listeners) listener({ type } as Parameters<Listener>[0]);
    },
    stop: () => control.abort(),
  };
}

it("applies at the start and after changes; those that come meanwhile count as one", async () => {
  let release = () => {};
  const subject = followed((round) =>
    round === 2 ? new Promise((resolve) => (release = resolve)) : Promise.resolve(),
  );
  await turn();
  expect(subject.rounds()).toBe(1);
  subject.change("applied"); // a follower has applied a commit: the records are as before
  await turn();
  expect(subject.rounds()).toBe(1);
  subject.change("changed");
  await turn();
  for (let more = 0; more < 3; more++) subject.change("changed");
  release();
  await turn();
  expect(subject.rounds()).toBe(3);
  subject.stop();
  await subject.ended;
  expect(subject.listeners.size).toBe(0);
});

it("retries what fails, and ends in the middle of a pause", async () => {
  const subject = followed((round) => (round === 2 ? Promise.resolve() : Promise.reject(new Error("away"))));
  await expect.poll(() => subject.rounds()).toBe(2);
  expect(subject.logged).toEqual([new Error("away")]);
  subject.change("changed");
  await expect.poll(() => subject.rounds()).toBe(3);
  subject.stop();
  await subject.ended;
  expect(subject.rounds()).toBe(3);
});
