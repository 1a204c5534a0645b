import { EventEmitter, once } from "node:events";
import { PloyzError } from "@ployz/errors";
import { scheduleEntries } from "@ployz/primitives/host";
import {
  emptyCommit,
  type OperationEvent,
  type OperationRequest,
  type ScheduleRecord,
} from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { describe, expect, test } from "vitest";
import { claimOf, turnOf, waitFor } from "./claims.ts";
import type { ClockVerdict } from "./clocks.ts";
import { type FireDeps, fire } from "./fire.ts";

const at = (text: string) => Date.parse(text);
const T0 = at("2026-01-01T00:00:00Z");
const spec = {
  ...{ env: {}, after: [], stopGraceMs: 0, timeoutMs: 1000, bundle: { digest: "x" } },
  schedule: {
    ...{ everyMs: 1000, timezone: "UTC", deadlineMs: 30_000 },
    ...{ overlap: "skip" as const, missed: "report" as const },
  },
};
const commit = {
  ...emptyCommit({ namespace: "prod", operation: "0", primitive: "deploy", at: "", by: "" }),
  jobs: { report: { revision: "1", spec } },
};
const [entry] = scheduleEntries(commit);
if (entry === undefined) throw new Error("the commit has a schedule");

const right = async () => "sure" as const;
const storeAway = () => new PloyzError({ code: "store_unavailable", message: "no quorum" });

/** A cluster of daemons over one store, whose runs only count. */
function cluster(names: readonly string[]) {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  const ran: string[] = [];
  let now = T0;
  const deps = (self: string): FireDeps => ({
    ...{
      store,
      self,
      now: () => now,
      isRunning: () => false,
      clock: right,
      signal: new AbortController().signal,
    },
    async *run({ input, by }: OperationRequest): AsyncIterable<OperationEvent> {
      const { tick } = input as { tick: string };
      ran.push(tick);
      expect(by).toBe("schedule prod/report");
      const operation = `op-${ran.length}`;
      yield { type: "accepted", operation, primitive: "job-run", resumed: false };
      yield {
        type: "result",
        result: {
          ...{ kind: "operation", operation, primitive: "job-run", state: "done", changed: true },
          ...{ output: null, owed: [], warnings: [], ms: 1 },
        },
      };
    },
  });
  const machines = new Map(names.map((name) => [name, deps(name)]));
  const record = async () => (await store.facts.get("schedule.prod.report"))?.value;
  return {
    ...{ store, ran, record },
    async all(time: number, which = names) {
      now = time;
      const fired = await Promise.all(
        which.map(async (name) => fire(entry as NonNullable<typeof entry>, machines.get(name) as FireDeps)),
      );
      await Promise.all(fired.flatMap(({ running }) => (running === undefined ? [] : [running])));
    },
  };
}

test("1,000 ticks over three machines that all try: each runs once", async () => {
  const { all, ran, record } = cluster(["m1", "m2", "m3"]);
  await all(T0);
  for (let tick = 1; tick <= 1000; tick++) await all(T0 + tick * 1000 + 3);
  expect(ran).toHaveLength(1000);
  expect(new Set(ran).size).toBe(1000);
  expect(await record()).toMatchObject({
    missed: [],
    run: { operation: "op-1000", state: "done", tick: "2026-01-01T00:16:40.000Z" },
  });
});

test("ticks in which no machine lived are reported, and none runs twice", async () => {
  const { all, ran, record } = cluster(["m1", "m2"]);
  await all(T0);
  await all(T0 + 1000, ["m1"]);
  await all(T0 + 61_500, ["m2"]);
  expect(ran).toEqual(["2026-01-01T00:00:01.000Z", "2026-01-01T00:01:01.000Z"]);
  expect((await record())?.missed).toEqual([{ tick: "2026-01-01T00:01:00.000Z", why: "late", before: 58 }]);
});

test("a patient schedule runs once another operation on the same has ended", async () => {
  const { store } = cluster([]);
  const lease = await store.leases.acquire("backup.prod", { operation: "op-other", machine: "m2" }, 60_000);
  if (!lease.acquired) throw new Error("the lease is taken");
  const asked: string[] = [];
  const free = new EventEmitter();
  const leases: typeof store.leases = {
    ...store.leases,
    async whenFree() {
      await once(free, "free");
    },
  };
  const deps: FireDeps = {
    ...{
      store: { ...store, leases },
      self: "m1",
      now: () => T0 + 1003,
      isRunning: () => false,
      clock: right,
      signal: new AbortController().signal,
    },
    async *run({ primitive }: OperationRequest): AsyncIterable<OperationEvent> {
      asked.push(primitive);
      const free = (await store.leases.get("backup.prod")) === undefined;
      yield { type: "accepted", operation: "op-1", primitive, resumed: false };
      if (free)
        yield {
          type: "result",
          result: {
            ...{ kind: "operation", operation: "op-1", primitive, state: "done", changed: true },
            ...{ output: null, owed: [], warnings: [], ms: 1 },
          },
        };
      else
        yield {
          type: "refused",
          refusals: [{ code: "scope_busy", message: "busy", operationId: "op-other" }],
        };
    },
  };
  const known = { schedule: entry.hash, decided: new Date(T0).toISOString(), missed: [] };
  await store.facts.put("schedule.prod.report", known, 0);
  const { running } = await fire({ ...entry, patient: true }, deps);
  const run = async () => (await store.facts.get("schedule.prod.report"))?.value.run;
  await expect.poll(run).toMatchObject({ waitsFor: "op-other" });
  // Ticks that come meanwhile find it running, also on another machine.
  const wanted = entry as NonNullable<typeof entry>;
  expect(await fire(wanted, { ...deps, self: "m2", now: () => T0 + 61_000 })).toEqual({});
  expect((await store.facts.get("schedule.prod.report"))?.value).toMatchObject({
    ...{ run: { waitsFor: "op-other" }, missed: [{ why: "overlap", before: 59 }] },
  });
  await store.leases.release(lease.lease);
  free.emit("free");
  await running;
  expect(asked).toHaveLength(2);
  expect(await run()).toMatchObject({ state: "done", operation: "op-1" });
  expect(await run()).not.toHaveProperty("waitsFor");
});

test("a store that is away while an operation begins makes it neither failed nor lost", async () => {
  const { store } = cluster([]);
  const wanted = entry as NonNullable<typeof entry>;
  let away = 0;
  const facts: typeof store.facts = {
    ...store.facts,
    get: (key) => (away-- > 0 ? Promise.reject(storeAway()) : store.facts.get(key)),
  };
  const deps: FireDeps = {
    ...{ store: { ...store, facts }, self: "m1", now: () => T0 + 1003 },
    ...{ isRunning: () => false, clock: right, signal: new AbortController().signal },
    async *run(): AsyncIterable<OperationEvent> {
      away = 1;
      yield { type: "accepted", operation: "op-1", primitive: "job-run", resumed: false };
      throw storeAway();
    },
  };
  const known = { schedule: wanted.hash, decided: new Date(T0).toISOString(), missed: [] };
  await store.facts.put("schedule.prod.report", known, 0);
  await expect((await fire(wanted, deps)).running).rejects.toMatchObject({ code: "store_unavailable" });
  const run = (await store.facts.get("schedule.prod.report"))?.value.run;
  expect(run).toMatchObject({ operation: "op-1" });
  expect(run).not.toHaveProperty("state");
});

test("an operation that still observes has leases and no record: it is not lost", async () => {
  const { store } = cluster([]);
  const wanted = entry as NonNullable<typeof entry>;
  const at0 = new Date(T0).toISOString();
  const run = { tick: at0, machine: "m1", startedAt: at0, operation: "op-1" };
  await store.facts.put("schedule.prod.report", { schedule: wanted.hash, decided: at0, missed: [], run }, 0);
  await store.leases.acquire("job.prod.report", { operation: "op-1", machine: "m1" }, 600_000);
  const deps: FireDeps = {
    ...{ store, self: "m2", now: () => T0 + 61_000, isRunning: () => false, clock: right },
    ...{ signal: new AbortController().signal, run: () => expect.fail("the tick before has not ended") },
  };
  expect(await fire(wanted, deps)).toEqual({});
  expect((await store.facts.get("schedule.prod.report"))?.value).toMatchObject({
    ...{ run, missed: [{ why: "overlap" }] },
  });
});

describe("a claim", () => {
  const known: ScheduleRecord = {
    ...{ schedule: entry.hash, decided: "2026-01-01T00:00:01.000Z", missed: [] },
    run: { tick: "2026-01-01T00:00:01.000Z", machine: "m1", startedAt: "2026-01-01T00:00:01.000Z" },
  };
  const claim = (now: string, ended: Parameters<typeof claimOf>[2]["ended"]) =>
    claimOf(entry, known, { now: at(now), self: "m2", ended });

  test("of a machine that died before it ran is lost after half a minute, and the tick is not run again", () => {
    expect(claim("2026-01-01T00:00:02Z", "lost")).toMatchObject({ record: { missed: [{ why: "overlap" }] } });
    const later = claim("2026-01-01T00:00:40Z", "lost");
    expect(later?.run).toBe("2026-01-01T00:00:40.000Z");
    expect(later?.record.missed).toEqual([
      { tick: "2026-01-01T00:00:01.000Z", why: "lost", before: 0 },
      { tick: "2026-01-01T00:00:39.000Z", why: "late", before: 37 },
    ]);
  });
  test("is skipped while the run before has not ended", () => {
    expect(claim("2026-01-01T00:00:02Z", undefined)?.run).toBeUndefined();
  });
  test("of a changed schedule begins again", () => {
    expect(claimOf({ ...entry, hash: "other" }, known, { now: T0, self: "m2", ended: undefined })).toEqual({
      record: { schedule: "other", decided: "2026-01-01T00:00:00.000Z", missed: [] },
    });
  });
});

describe("a clock an hour or a year ahead", () => {
  const known = { schedule: entry.hash, decided: new Date(T0).toISOString(), missed: [] };
  const wanted = entry as NonNullable<typeof entry>;
  async function machines(ahead: number) {
    const { store } = cluster([]);
    const ran: string[] = [];
    await store.facts.put("schedule.prod.report", known, 0);
    const machine = (self: string, clock: ClockVerdict, skew = 0) => ({
      ...{ store, self, isRunning: () => false, signal: new AbortController().signal },
      ...{ clock: async () => clock, skew },
      async *run({ input }: OperationRequest): AsyncIterable<OperationEvent> {
        ran.push(`${self} ${(input as { tick: string }).tick}`);
        yield { type: "refused", refusals: [{ code: "x", message: "refused" }] };
      },
    });
    const all = [machine("m1", "off", ahead), machine("m2", "sure"), machine("m3", "sure")];
    const at = async (time: number, which = all) => {
      for (const { skew, ...deps } of which) {
        const { running } = await fire(wanted, { ...deps, now: () => time + skew });
        await running;
      }
    };
    const record = async () => (await store.facts.get("schedule.prod.report"))?.value;
    return { at, ran, record, machine };
  }
  const [hour, year] = [3_600_000, 365 * 86_400_000];

  test.each([hour, year, -hour])("%d ms: its machine fires nothing, the others continue", async (ahead) => {
    const { at, ran, record } = await machines(ahead);
    for (let tick = 1; tick <= 10; tick++) await at(T0 + tick * 1000 + 3);
    expect(ran.map((one) => one.slice(0, 2))).toEqual(Array.from({ length: 10 }, () => "m2"));
    expect((await record())?.missed).toEqual([]);
  });

  test.each([hour, year])("%d ms: a record that it left stops nothing once, and says so", async (ahead) => {
    const { at, ran, record, machine } = await machines(ahead);
    await at(T0 + 1003, [machine("m1", "unsure", ahead)]);
    expect(ran).toHaveLength(1);
    expect(waitFor(wanted, await record(), { now: T0 + 1500, self: "m2", machines: ["m2"] })).toBe(0);
    await at(T0 + 2003, [machine("m3", "unsure")]);
    expect(Date.parse((await record())?.decided ?? "")).toBe(T0 + ahead + 1000);
    await at(T0 + 2003);
    expect(ran).toHaveLength(1);
    expect(await record()).toMatchObject({
      decided: "2026-01-01T00:00:02.003Z",
      missed: [{ tick: "2026-01-01T00:00:02.003Z", why: "clock" }],
    });
    expect(await record()).not.toHaveProperty("run");
    await at(T0 + 3003);
    expect(ran.at(-1)).toBe("m2 2026-01-01T00:00:03.000Z");
    expect((await record())?.run?.tick).toBe("2026-01-01T00:00:03.000Z");
  });

  test("a run that it claimed and never began is lost, not open for a year", () => {
    const startedAt = new Date(T0 + year).toISOString();
    const open = { ...known, run: { tick: startedAt, machine: "m1", startedAt } };
    const claim = claimOf(wanted, open, { now: T0 + 1003, self: "m2", ended: "lost", sure: true });
    expect(claim).toMatchObject({ run: "2026-01-01T00:00:01.000Z" });
  });
});

test("jitter moves each schedule's runs by as much on every machine, and no tick is lost or doubled", () => {
  const jitter = { ...spec, schedule: { ...spec.schedule, everyMs: 60_000, jitterMs: 30_000 } };
  const entries = scheduleEntries({
    ...commit,
    jobs: Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, { revision: "1", spec: jitter }])),
  });
  const offsets = entries.map(({ offsetMs = 0 }) => offsetMs);
  expect(new Set(offsets).size).toBe(4);
  expect(Math.max(...offsets)).toBeLessThanOrEqual(30_000);
  for (const one of entries) {
    const { offsetMs = 0 } = one;
    const known = { schedule: one.hash, decided: "2026-01-01T00:00:00.000Z", missed: [] };
    const claim = (now: number) => claimOf(one, known, { now, self: "m1", ended: undefined });
    expect(claim(T0 + 60_000 + offsetMs - 1)).toBeUndefined();
    expect(claim(T0 + 60_000 + offsetMs)?.run).toBe("2026-01-01T00:01:00.000Z");
    expect(claim(T0 + 60_000 + offsetMs)?.record.missed).toEqual([]);
    expect(waitFor(one, known, { now: T0, self: "m1", machines: ["m1"] })).toBe(60_000 + offsetMs);
  }
});

describe("the wait", () => {
  const machines = ["m1", "m2", "m3"];
  test("machines try one after the other, each schedule beginning with another", () => {
    expect(machines.map((self) => turnOf(self, machines, "prod/a")).sort()).toEqual([0, 1, 2]);
    expect(new Set(["a", "b", "c", "d", "e"].map((name) => turnOf("m1", machines, name))).size).toBe(3);
  });
  test("is until the next tick, and for ever while it is paused", () => {
    const of = { now: T0, self: "m1", machines: ["m1"] };
    const decided = "2026-01-01T00:00:00.000Z";
    expect(waitFor(entry, { decided }, of)).toBe(1000);
    expect(waitFor(entry, { decided, paused: { at: "", by: "" } }, of)).toBeUndefined();
  });
});

test("a run that changed nothing, or was refused, names no operation: there is no record", async () => {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  const wanted = entry as NonNullable<typeof entry>;
  const ends: readonly OperationEvent[] = [
    {
      type: "result",
      result: {
        ...{ kind: "operation", primitive: "job-run", state: "done", changed: false },
        ...{ output: null, owed: [], warnings: [], ms: 1 },
      },
    },
    { type: "refused", refusals: [{ code: "scope_busy", message: "busy" }] },
  ];
  let [now, runs] = [T0, 0];
  const deps: FireDeps = {
    ...{
      store,
      self: "m1",
      now: () => now,
      isRunning: () => false,
      clock: right,
      signal: new AbortController().signal,
    },
    async *run() {
      yield { type: "accepted", operation: "op-1", primitive: "job-run", resumed: false };
      yield ends[runs++] as OperationEvent;
    },
  };
  await fire(wanted, deps);
  for (const state of ["done", "refused"]) {
    now += 1_000;
    await (await fire(wanted, deps)).running;
    const run = (await store.facts.get("schedule.prod.report"))?.value.run;
    expect(run).toMatchObject({ state });
    expect(run).not.toHaveProperty("operation");
  }
});
