import { describe, expect, test } from "vitest";
import type { Schedule } from "../model/schedule.ts";
import { cronProblem, nextTick } from "./cron.ts";
import { decideTicks, withMissed } from "./ticks.ts";
import { instantOf, isTimezone } from "./zone.ts";

const at = (text: string) => Date.parse(text);
const iso = (instant: number | undefined) =>
  instant === undefined ? undefined : new Date(instant).toISOString();

/** The ticks in [from, to]. */
function ticks(cron: string, from: string, to: string, timezone = "Europe/Berlin") {
  const found: string[] = [];
  for (let next = nextTick({ cron, timezone }, at(from) - 1); next !== undefined && next <= at(to); ) {
    found.push(new Date(next).toISOString());
    next = nextTick({ cron, timezone }, next);
  }
  return found;
}

describe("the hour that clocks skip in spring: Berlin 2026-03-29, 02:00 to 03:00", () => {
  test("a time in it fires once, at the first minute after", () => {
    expect(ticks("30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z")).toEqual([
      "2026-03-28T01:30:00.000Z",
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
  });
  test("several times in it fire once together, also with the time after", () => {
    expect(ticks("15,45 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z")).toEqual([
      "2026-03-29T01:00:00.000Z",
    ]);
    expect(ticks("0 2,3 * * *", "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z")).toEqual([
      "2026-03-29T01:00:00.000Z",
    ]);
  });
  test("a schedule of every hour continues without a gap", () => {
    expect(ticks("*/20 * * * *", "2026-03-29T00:20:00Z", "2026-03-29T01:40:00Z")).toEqual([
      "2026-03-29T00:20:00.000Z",
      "2026-03-29T00:40:00.000Z",
      "2026-03-29T01:00:00.000Z",
      "2026-03-29T01:20:00.000Z",
      "2026-03-29T01:40:00.000Z",
    ]);
  });
});

describe("the hour that clocks show twice in autumn: Berlin 2026-10-25, 02:00 to 03:00", () => {
  test("a time in it fires once, the first time", () => {
    expect(ticks("30 2 * * *", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z")).toEqual([
      "2026-10-24T00:30:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
    expect(ticks("*/30 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T12:00:00Z")).toEqual([
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T00:30:00.000Z",
    ]);
  });
  test("a schedule of every hour continues in both", () => {
    expect(ticks("0 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z")).toHaveLength(4);
  });
});

test("a change of half an hour, on Lord Howe Island", () => {
  // 2026-10-04 02:00 +10:30 becomes 02:30 +11.
  expect(ticks("15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z", "Australia/Lord_Howe")).toEqual([
    "2026-10-03T15:30:00.000Z",
  ]);
  expect(iso(instantOf(at("2026-10-04T02:30:00Z"), "Australia/Lord_Howe"))).toBe("2026-10-03T15:30:00.000Z");
});

test("over a year, a daily time fires once on each day of each zone", () => {
  for (const timezone of [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
  ]) {
    for (const cron of ["30 2 * * *", "0 0 * * *"]) {
      const days = ticks(cron, "2026-01-01T12:00:00Z", "2027-01-01T11:59:59Z", timezone);
      expect([timezone, cron, days.length]).toEqual([timezone, cron, 365]);
    }
  }
});

test("intervals are counted from the epoch, so that every machine counts alike", () => {
  expect(iso(nextTick({ everyMs: 900_000, timezone: "UTC" }, at("2026-01-01T00:07:00Z")))).toBe(
    "2026-01-01T00:15:00.000Z",
  );
});

test.each([
  ["* * * *", /exactly five/],
  ["61 * * * *", /Invalid value for minute/],
  ["* * * * * *", /exactly 5 parts/],
  ["0 0 31 2 *", /never/],
  ["0 0 \u001b * *", /characters/],
])("%j is refused", (cron, why) => {
  expect(cronProblem(cron)).toMatch(why);
});

test("time zones are those of the database", () => {
  expect(["Europe/Berlin", "UTC", "Mars/Phobos", ""].map(isTimezone)).toEqual([true, true, false, false]);
});

describe("due ticks", () => {
  const schedule: Schedule = {
    ...{ everyMs: 60_000, timezone: "UTC", overlap: "skip", deadlineMs: 30_000, missed: "report" },
  };
  const record = { decided: "2026-01-01T00:00:00.000Z" };
  const decide = (now: string, more: Partial<Schedule> = {}, busy = false, known: object = record) =>
    decideTicks({ ...schedule, ...more }, { ...record, ...known }, { now: at(now), busy });

  test("nothing before the next tick", () => {
    expect(decide("2026-01-01T00:00:59.999Z")).toBeUndefined();
  });
  test("a tick runs at its time and up to its deadline", () => {
    const tick = at("2026-01-01T00:01:00Z");
    expect(decide("2026-01-01T00:01:00Z")).toEqual({ decided: tick, run: tick, missed: [] });
    expect(decide("2026-01-01T00:01:30Z")?.run).toBe(tick);
    expect(decide("2026-01-01T00:01:30.001Z")).toEqual({
      decided: tick,
      missed: [{ tick: "2026-01-01T00:01:00.000Z", why: "late", before: 0 }],
    });
  });
  test("after an outage the last tick runs, and the others are missed", () => {
    expect(decide("2026-01-01T00:05:10Z")).toEqual({
      decided: at("2026-01-01T00:05:00Z"),
      run: at("2026-01-01T00:05:00Z"),
      missed: [{ tick: "2026-01-01T00:04:00.000Z", why: "late", before: 3 }],
    });
  });
  test("run-once runs the last tick, however late", () => {
    expect(decide("2026-01-01T00:05:50Z")?.run).toBeUndefined();
    expect(decide("2026-01-01T00:05:50Z", { missed: "run-once" })?.run).toBe(at("2026-01-01T00:05:00Z"));
  });
  test("while the run before has not ended, a tick is skipped, unless it waits", () => {
    expect(decide("2026-01-01T00:01:00Z", {}, true)?.missed).toEqual([
      { tick: "2026-01-01T00:01:00.000Z", why: "overlap", before: 0 },
    ]);
    expect(decide("2026-01-01T00:03:00Z", { overlap: "wait" }, true)).toBeUndefined();
    expect(decide("2026-01-01T00:03:10Z", { overlap: "wait" }, false)).toEqual({
      ...{ decided: at("2026-01-01T00:03:00Z"), run: at("2026-01-01T00:03:00Z") },
      missed: [{ tick: "2026-01-01T00:02:00.000Z", why: "late", before: 1 }],
    });
  });
  test("of a paused schedule nothing is due", () => {
    expect(decide("2026-01-01T00:02:00Z", {}, false, { paused: { at: "", by: "" } })).toBeUndefined();
  });
  test("cron ticks are counted alike", () => {
    const cron: Schedule = {
      ...{ cron: "0 3 * * *", timezone: "UTC", overlap: "skip", deadlineMs: 60_000, missed: "report" },
    };
    expect(decideTicks(cron, record, { now: at("2026-01-03T03:00:01Z"), busy: false })).toEqual({
      decided: at("2026-01-03T03:00:00Z"),
      run: at("2026-01-03T03:00:00Z"),
      missed: [{ tick: "2026-01-02T03:00:00.000Z", why: "late", before: 1 }],
    });
  });
  test("after a year off, the last of its minutes runs once, and counting ends", () => {
    const minutes = { ...schedule, cron: "* * * * *", missed: "run-once" } as const;
    const { everyMs: _, ...cron } = minutes;
    expect(decideTicks(cron, record, { now: at("2027-01-01T00:00:10Z"), busy: false })).toEqual({
      decided: at("2027-01-01T00:00:00Z"),
      run: at("2027-01-01T00:00:00Z"),
      missed: [{ tick: "2026-12-31T23:59:00.000Z", why: "late", before: 998 }],
    });
    const nights = { ...cron, cron: "0-59 3 * * *", timezone: "Europe/Berlin" };
    expect(decideTicks(nights, record, { now: at("2027-01-01T23:00:00Z"), busy: false })).toMatchObject({
      run: at("2027-01-01T02:59:00Z"),
      missed: [{ tick: "2027-01-01T02:58:00.000Z" }],
    });
  });
  test("a row of missed ticks is one entry", () => {
    const missed = (tick: string, before = 0) => ({ tick, why: "late" as const, before });
    expect(withMissed([missed("a")], [missed("b", 2)])).toEqual([missed("b", 3)]);
    expect(withMissed([missed("a")], [{ ...missed("b"), why: "overlap" }])).toHaveLength(2);
  });

  test("a full record loses no missed tick: two reasons in turn are counted to the last one", () => {
    const why = ["late", "overlap", "lost"] as const;
    const all = Array.from({ length: 100 }, (_, at) => ({
      ...{ tick: String(at), why: why[at % (at < 50 ? 2 : 3)] ?? "late", before: at % 4 },
    }));
    const kept = all.reduce<ReturnType<typeof withMissed>>((known, one) => withMissed(known, [one]), []);
    const counted = (entries: typeof kept, reason: string) =>
      entries.filter((one) => one.why === reason).reduce((sum, { before }) => sum + 1 + before, 0);
    expect(kept.map(({ tick }) => tick)).toEqual(all.slice(-10).map(({ tick }) => tick));
    for (const reason of why) expect(counted(kept, reason)).toBe(counted(all, reason));
  });
});
