import { setTimeout as pause } from "node:timers/promises";
import {
  type Commit,
  emptyCommit,
  type FactKey,
  type FactOf,
  type OperationEvent,
  type OperationRequest,
} from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { watchSchedules } from "./watch.ts";

type Watched = Parameters<typeof watchSchedules>[0];
type Listener = Parameters<Watched["mirror"]["onChange"]>[0];

const job = {
  ...{ env: {}, after: [], stopGraceMs: 0, timeoutMs: 1000, bundle: { digest: "x" } },
  schedule: {
    ...{ everyMs: 1000, timezone: "UTC", deadlineMs: 30_000 },
    ...{ overlap: "skip" as const, missed: "report" as const },
  },
};
const commitWith = (jobs: Commit["jobs"]): Commit => ({
  ...emptyCommit({ namespace: "prod", operation: "0", primitive: "deploy", at: "", by: "" }),
  jobs,
});

/** Daemons over one store whose mirrors follow it; timers and the clock are real. */
function daemons(names: readonly string[], ends = () => Promise.resolve()) {
  const store = createMemoryStore({ clock: createVirtualClock() });
  const listeners = new Set<Listener>();
  const entries = new Map<string, unknown>();
  let heads: readonly Commit[] = [];
  const facts = {
    ...store.facts,
    async put<K extends FactKey>(key: K, value: FactOf<K>, expected: number) {
      const written = await store.facts.put(key, value, expected);
      if (written.ok) {
        const entry = { key, value, revision: written.revision };
        entries.set(key, entry);
        for (const listener of listeners) listener({ type: "fact", key, entry });
      }
      return written;
    },
  } as typeof store.facts;
  const ran: { readonly by: string; readonly tick: string }[] = [];
  const mirror = {
    facts: (name: string) =>
      [...entries].flatMap(([key, entry]) => (key.startsWith(`${name}.`) ? [entry] : [])),
    onChange(listener: Listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as Watched["mirror"];
  const start = (self: string) => {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    watchSchedules({
      ...{ self, mirror, signal: stop.signal, now: Date.now, isRunning: () => true },
      clock: async () => "sure",
      store: { ...store, facts },
      log: { warn: (...of: readonly unknown[]) => expect.fail(JSON.stringify(of)) } as Watched["log"],
      heads: () => heads,
      machines: () => names,
      async *run({ input }: OperationRequest): AsyncIterable<OperationEvent> {
        ran.push({ by: self, tick: (input as { tick: string }).tick });
        yield { type: "accepted", operation: `op-${ran.length}`, primitive: "job-run", resumed: false };
        await ends();
        yield { type: "refused", refusals: [{ code: "x", message: "refused" }] };
      },
    });
    return stop;
  };
  const deploy = (commit: Commit) => {
    heads = [commit];
    for (const listener of listeners)
      listener({ type: "head", entry: { key: "prod", value: {}, revision: 1 } });
  };
  const put = (key: FactKey & `schedule.${string}`, value: FactOf<`schedule.${string}`>) =>
    facts.put(key, value, 0);
  const commit = (value: Commit) => store.commits.append(value, 0);
  const remaining = async () => (await store.facts.list("schedule")).map(({ key }) => key as string);
  return {
    start,
    deploy,
    ran,
    put,
    commit,
    remaining,
    record: async () => (await facts.get("schedule.prod.beat"))?.value,
  };
}

test("ticks run on time, on another machine when one stops, and no timer is left without schedules", {
  timeout: 30_000,
}, async () => {
  const { start, deploy, ran, record } = daemons(["m1", "m2"]);
  const timers = vi.spyOn(globalThis, "setTimeout");
  const stops = new Map(["m1", "m2"].map((name) => [name, start(name)] as const));
  await pause(50);
  expect(timers).not.toHaveBeenCalled();
  deploy(commitWith({ beat: { revision: "1", spec: job } }));
  await expect.poll(() => ran.length, { timeout: 10_000 }).toBeGreaterThan(1);
  stops.get(ran.at(-1)?.by ?? "")?.abort();
  const before = ran.length;
  await expect.poll(() => ran.length, { timeout: 10_000 }).toBeGreaterThan(before + 1);
  deploy(commitWith({}));
  const all = ran.length;
  await pause(2_500);
  expect(ran.length).toBeLessThanOrEqual(all + 1);
  expect(new Set(ran.map(({ tick }) => tick)).size).toBe(ran.length);
  expect(await record()).toMatchObject({ run: { state: "refused", error: { code: "x" } } });
});

test("a tick that waits runs when the run before has ended, and not beside it", async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { start, deploy, ran, record } = daemons(["m1"], () => gate);
  const waiting = { ...job, schedule: { ...job.schedule, overlap: "wait" as const } };
  start("m1");
  deploy(commitWith({ beat: { revision: "1", spec: waiting } }));
  await expect.poll(() => ran.length, { timeout: 5_000 }).toBe(1);
  await pause(2_500);
  expect(ran).toHaveLength(1);
  open();
  await expect.poll(() => ran.length, { timeout: 3_000 }).toBe(2);
  expect((await record())?.missed.every(({ why }) => why === "late")).toBe(true);
});

test("a schedule of once a year has a timer of a minute: the clock may be set meanwhile", async () => {
  const { start, deploy, record } = daemons(["m1"]);
  const timers = vi.spyOn(globalThis, "setTimeout");
  const yearly = { ...job, schedule: { ...job.schedule, everyMs: 365 * 86_400_000 } };
  start("m1");
  deploy(commitWith({ beat: { revision: "1", spec: yearly } }));
  await expect.poll(record).toBeDefined();
  await expect.poll(() => timers.mock.calls.some(([, ms]) => ms === 60_000)).toBe(true);
  expect(Math.max(...timers.mock.calls.map(([, ms = 0]) => ms))).toBe(60_000);
});

test("a mirror that catches up removes no record of a schedule whose commit is still to come; one without a commit goes", async () => {
  const { start, deploy, commit, put, remaining } = daemons(["m1"]);
  const old = { schedule: "hash", decided: "2026-01-01T00:00:00.000Z", missed: [] };
  const paused = { ...old, paused: { at: "2026-01-01T00:00:00.000Z", by: "me" } };
  await put("schedule.later.beat", paused);
  await put("schedule.gone.beat", old);
  await put("schedule.prod.beat", old);
  await commit({ ...commitWith({ beat: { revision: "1", spec: job } }), namespace: "later" });
  start("m1");
  deploy(commitWith({}));
  await expect.poll(remaining).toEqual(["schedule.later.beat"]);
});
