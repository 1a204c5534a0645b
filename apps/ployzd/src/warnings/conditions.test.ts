import type { InstanceRow, MachineRow, ScheduleRow } from "@ployz/primitives/client";
import type { MachineObservation, OperationSummary } from "@ployz/primitives/protocol";
import { describe, expect, it } from "vitest";
import { copyWarnings } from "./copies.ts";
import { healthWarnings } from "./health.ts";
import { leaderWarnings } from "./leader.ts";
import { clockWarnings } from "./machines.ts";
import { operationWarnings } from "./operations.ts";
import type { Seen } from "./seen.ts";
import { spaceWarnings } from "./space.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const GIB = 2 ** 30;
const machine = (id: string, observation: Partial<MachineObservation> = {}, row: Partial<MachineRow> = {}) =>
  ({
    ...{ record: { id, endpoints: [] }, reachable: true, ...row },
    observation: {
      ...{ diskFreeBytes: 9 * GIB, memoryBytes: 4 * GIB, memoryFreeBytes: GIB },
      ...observation,
    },
  }) as unknown as MachineRow;
const seen = (machines: readonly MachineRow[], instances: readonly InstanceRow[] = []) =>
  ({ machines, instances, self: "m1", now: NOW }) as unknown as Seen;
const codes = (found: readonly { readonly code: string; readonly about: string }[]) =>
  found.map(({ code, about }) => `${code} ${about}`);

describe("space", () => {
  const storage = {
    root: "tank/ployz",
    availableBytes: 50,
    usedBytes: 50,
    promisedBytes: 0,
    promisableBytes: 0,
  };
  it.each([
    [{}, []],
    [{ diskFreeBytes: GIB - 1 }, ["disk_nearly_full m1"]],
    [{ inodes: { total: 1000, free: 49 } }, ["inodes_nearly_used m1"]],
    [{ inodes: { total: 1000, free: 50 } }, []],
    [{ memoryFreeBytes: 0.04 * 4 * GIB }, ["memory_nearly_full m1"]],
    [{ storage: { ...storage, health: "DEGRADED" } }, ["pool_degraded m1"]],
    [{ storage: { ...storage, health: "ONLINE" } }, []],
    [{ storage }, []],
    [{ storage: { ...storage, availableBytes: 5 } }, ["pool_nearly_full m1"]],
    [{ storage: { ...storage, poolBytes: 501 } }, ["pool_nearly_full m1"]],
    [{ storage: { ...storage, poolBytes: 500 } }, []],
  ])("%j gives %j", (observation, expected) => {
    expect(codes(spaceWarnings(seen([machine("m1", observation)])))).toEqual(expected);
  });
});

it("a clock is skewed beyond five seconds, in both directions", () => {
  const rows = [4_000, 6_000, -61_000, 0].map((clockSkewMs, i) => machine(`m${i + 2}`, {}, { clockSkewMs }));
  const found = clockWarnings(seen(rows));
  expect(found.map(({ message }) => message)).toEqual([
    "the clock of m3 is 6 s ahead of the one of m1",
    "the clock of m4 is 61 s behind the one of m1",
  ]);
});

it("where most clocks agree, the one that differs is named, also when it is this machine's", () => {
  const rows = [-3_600_000, -3_599_000].map((clockSkewMs, i) => machine(`m${i + 2}`, {}, { clockSkewMs }));
  expect(clockWarnings(seen([machine("m1"), ...rows])).map(({ about, message }) => [about, message])).toEqual(
    [["m1", "the clock of m1 is 3600 s ahead of those of most machines"]],
  );
  const away = machine("m4", {}, { reachable: false });
  expect(codes(clockWarnings(seen([machine("m1"), ...rows, away])))).toEqual(["clock_skewed m1"]);
});

describe("health", () => {
  const row = (observed: object = {}) =>
    ({
      ...{ id: "prod.web.0.x", namespace: "prod", service: "web", slot: 0, machine: "m1", committed: true },
      ...{ state: "running", observed },
    }) as unknown as InstanceRow;
  const views = (...down: (readonly string[] | undefined)[]) =>
    down.map((ids, i) => machine(`m${i + 1}`, ids === undefined ? {} : { down: ids }));
  const bad = ["prod.web.0.x"];
  it.each([
    [views(bad, bad, []), 1],
    [views(bad, [], undefined), 0],
    [views(bad, undefined, undefined), 1],
    [views(undefined, undefined), 0],
  ])("needs most of the gateways that answer", (machines, count) => {
    expect(healthWarnings(seen(machines, [row()]))).toHaveLength(count);
  });
  it("is left to the warning of a restart loop", () => {
    expect(healthWarnings(seen(views(bad), [row({ restarts: 5 })]))).toEqual([]);
  });
});

describe("operations", () => {
  const operation = (over: Partial<OperationSummary>) =>
    ({
      operation: "01",
      primitive: "deploy",
      title: "deploy prod",
      by: "root@m1",
      state: "failed",
      endedAt: ago(5),
      ...over,
    }) as OperationSummary;
  const schedule = (over: Partial<ScheduleRow>) =>
    ({ namespace: "prod", name: "report", missed: [], ...over }) as unknown as ScheduleRow;
  const found = (operations: readonly OperationSummary[], schedules: readonly ScheduleRow[] = []) =>
    codes(operationWarnings({ operations, schedules }, NOW));

  it("warn of the last failure on a subject, for an hour, until one ends well", () => {
    expect(found([operation({})])).toEqual(["operation_failed deploy prod"]);
    expect(found([operation({ endedAt: ago(61) })])).toEqual([]);
    expect(found([operation({}), operation({ operation: "02", state: "done", endedAt: ago(1) })])).toEqual(
      [],
    );
    expect(found([operation({}), operation({ operation: "00", state: "done", endedAt: ago(9) })])).toEqual([
      "operation_failed deploy prod",
    ]);
  });

  it("name the error by its code, and pass over programs of an operator", () => {
    const error = { code: "not_ready", message: "probe ended with exit code 1: password=hidden" };
    const [first] = operationWarnings({ operations: [operation({ error })], schedules: [] }, NOW);
    expect(first?.message).toBe("deploy prod failed: not_ready");
    expect(found([operation({ primitive: "exec", title: "exec prod/web.1: psql hidden" })])).toEqual([]);
  });

  it("warn of cleanup that is owed, by its id", () => {
    expect(found([operation({ state: "cleanup-owed" }), operation({ state: "running" })])).toEqual([
      "operation_open 01",
    ]);
  });

  it("warn of a schedule's failed run, and not of its operation too", () => {
    const last = {
      tick: ago(5),
      machine: "m1",
      startedAt: ago(5),
      endedAt: ago(4),
      operation: "01",
      state: "failed",
    };
    expect(found([operation({ by: "schedule prod/report" })], [schedule({ last })])).toEqual([
      "schedule_failed prod/report",
    ]);
  });

  it("warn of a schedule's failed run while the next one goes, until it ends well", () => {
    const run = { tick: ago(5), machine: "m1", startedAt: ago(5), operation: "01" };
    const failed = { ...run, endedAt: ago(4), state: "failed" };
    const next = { ...run, tick: ago(3), startedAt: ago(3), state: "running" };
    expect(found([], [schedule({ last: next, before: failed })])).toEqual(["schedule_failed prod/report"]);
    const done = { ...next, endedAt: ago(2), state: "done" };
    expect(found([], [schedule({ last: done, before: failed })])).toEqual([]);
    expect(found([], [schedule({ last: next })])).toEqual([]);
  });

  it("warn of a schedule's refused run, unless another operation was at work", () => {
    const last = { tick: ago(5), machine: "m1", startedAt: ago(5), endedAt: ago(5), state: "refused" };
    const error = (code: string) => ({ last: { ...last, error: { code, message: "x" } } });
    expect(found([], [schedule(error("secret_missing"))])).toEqual(["schedule_failed prod/report"]);
    expect(found([], [schedule(error("scope_busy"))])).toEqual([]);
    const standby = { ...error("machine_unreachable"), primitive: "volume-standby-sync" };
    expect(found([], [schedule(standby)])).toEqual([]);
  });

  it("leave a standby that skips a copy to the warning of its age", () => {
    const missed = [{ tick: ago(5), why: "overlap" as const, before: 0 }];
    expect(found([], [schedule({ missed, primitive: "volume-standby-sync" })])).toEqual([]);
    expect(found([], [schedule({ missed, primitive: "job-run" })])).toEqual(["schedule_missed prod/report"]);
  });

  it("warn of a missed tick until a later one runs, or it is paused", () => {
    const missed = [{ tick: ago(5), why: "late" as const, before: 0 }];
    const last = { tick: ago(1), machine: "m1", startedAt: ago(1), state: "done" };
    expect(found([], [schedule({ missed })])).toEqual(["schedule_missed prod/report"]);
    expect(found([], [schedule({ missed, last })])).toEqual([]);
    expect(found([], [schedule({ missed, paused: { at: ago(1), by: "x" } })])).toEqual([]);
  });
});

it("volumes on one disk are one warning for each namespace", () => {
  const row = (volume: string, over: object = {}) => ({ namespace: "prod", volume, machine: "m1", ...over });
  const found = copyWarnings([
    ...[row("a"), row("b"), row("c", { standbyAt: ago(1) }), row("d", { backupAt: ago(1) })],
  ]);
  expect(codes(found)).toEqual(["volume_single_copy prod"]);
  expect(found[0]?.message).toContain("a on m1, b on m1");
});

it("the store's leader changed within the last five minutes", () => {
  const state = (minutes: number, before?: string) => ({
    ...{ open: [], outbox: [] },
    leader: { machine: "m2", at: ago(minutes), ...(before !== undefined && { before }) },
  });
  expect(codes(leaderWarnings(state(1, "m1"), NOW))).toEqual(["store_leader_changed "]);
  expect([state(6, "m1"), state(1), undefined].flatMap((one) => leaderWarnings(one, NOW))).toEqual([]);
});
