import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { automaticName, automaticTime, beyondKeep } from "./keep.ts";

const at = (text: string) => Date.parse(text);
const names = (...times: readonly string[]) => times.map((time) => automaticName(at(time)));

test("a name has its time", () => {
  const name = automaticName(at("2026-03-01T02:03:04.567Z"));
  expect(name).toBe("auto-20260301t020304z");
  expect(automaticTime(name)).toBe(at("2026-03-01T02:03:04Z"));
  for (const other of ["before-upgrade", "01arz3ndektsv4rrffq69g5fav", "auto-1", "auto-20260301t020304zz"])
    expect(automaticTime(other)).toBeUndefined();
});

describe("a rule keeps", () => {
  const all = names(
    "2026-02-28T23:50:00Z",
    "2026-03-01T00:10:00Z",
    "2026-03-01T00:50:00Z",
    "2026-03-01T01:10:00Z",
    "2026-03-02T01:10:00Z",
  );
  test("the last ones", () => {
    expect(beyondKeep(all, { last: 2 })).toEqual(all.slice(0, 3));
  });
  test("the newest of each of the last hours", () => {
    expect(beyondKeep(all, { hourly: 3 })).toEqual([all[0], all[1]]);
  });
  test("the newest of each of the last days, weeks and months", () => {
    expect(beyondKeep(all, { daily: 2 })).toEqual([all[0], all[1], all[2]]);
    // 2026-03-01 is a Sunday.
    expect(beyondKeep(all, { weekly: 2 })).toEqual([all[0], all[1], all[2]]);
    expect(beyondKeep(all, { monthly: 2 })).toEqual([all[1], all[2], all[3]]);
  });
  test("what any of its parts keeps", () => {
    expect(beyondKeep(all, { last: 1, hourly: 2, monthly: 2 })).toEqual([all[1], all[2]]);
  });
});

test("whatever the rule: the newest stays, and snapshots of others are never deleted", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 4e9 }), { minLength: 1, maxLength: 40 }),
      fc.record({
        last: fc.nat(5),
        hourly: fc.nat(5),
        daily: fc.nat(5),
        weekly: fc.nat(5),
        monthly: fc.nat(5),
      }),
      (seconds, keep) => {
        const own = seconds.map((second) => automaticName(second * 1000));
        const gone = beyondKeep([...own, "before-upgrade", "other@x"], keep);
        expect(gone).not.toContain(automaticName(Math.max(...seconds) * 1000));
        expect(gone.every((name) => own.includes(name))).toBe(true);
        // A second look deletes nothing more.
        expect(
          beyondKeep(
            own.filter((name) => !gone.includes(name)),
            keep,
          ),
        ).toEqual([]);
      },
    ),
  );
});
