import { emptyCommit, type VolumeSpec } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { backupAges, backupWarnings } from "./backup-ages.ts";

const at = (text: string) => Date.parse(text);
type Policy = NonNullable<VolumeSpec["backup"]>;
const schedule: Policy["schedule"] = {
  ...{ cron: "30 2 * * *", timezone: "UTC", overlap: "skip", missed: "run-once" },
  deadlineMs: 60_000,
};
const policy: Policy = { repository: "offsite", schedule, timeoutMs: 60_000 };
const weekly: Policy = { ...policy, verify: { schedule: { ...schedule, cron: "0 5 * * 0" } } };

function ages(backup: Policy | undefined, now: string, taken?: string, verified?: string) {
  const of = { operation: "01", primitive: "deploy", at: "2026-03-01T12:00:00Z", by: "" };
  const commit = {
    ...emptyCommit({ namespace: "prod", ...of }),
    volumes: [
      {
        name: "data",
        id: "i",
        machine: "m1",
        guid: "",
        spec: { scope: "single" as const, ...(backup && { backup }) },
      },
    ],
  };
  const done = { operation: "01", at: taken ?? "", by: "" };
  const run = { backup: "b", repository: "offsite", machine: "m1", at: taken ?? "", bytes: 1, addedBytes: 1 };
  const good = {
    backup: "b",
    repository: "offsite",
    taken: taken ?? "",
    at: verified ?? "",
    operation: "01",
  };
  return backupAges(
    [commit],
    {
      runs: new Map(taken === undefined ? [] : [["backup-run.prod", { ...done, volumes: { data: run } }]]),
      verified: new Map(
        verified === undefined ? [] : [["backup-verify.prod", { ...done, volumes: { data: good } }]],
      ),
    },
    at(now),
  );
}

test("a backup is old when two of its runs are missing, and a quarter of an hour has passed", () => {
  const state = (now: string) => ages(policy, now, "2026-03-02T02:30:01Z")[0]?.state;
  expect(state("2026-03-03T23:00:00Z")).toBe("current");
  expect(state("2026-03-04T02:44:00Z")).toBe("current");
  expect(state("2026-03-04T02:46:00Z")).toBe("late");
});

test("a schedule without any backup counts from its deploy", () => {
  expect(ages(policy, "2026-03-03T02:30:00Z")[0]?.state).toBe("current");
  const [row] = ages(policy, "2026-03-03T02:46:00Z");
  expect(row).toEqual({ namespace: "prod", volume: "data", repository: "offsite", state: "late" });
  expect(backupWarnings(row === undefined ? [] : [row], at("2026-03-03T02:46:00Z"))).toMatchObject([
    { code: "backup_late", about: "prod/data", message: expect.stringContaining("never") },
  ]);
});

test("a new volume of a name that had backups has none, unless it was restored from that volume", () => {
  const run = { backup: "b", repository: "offsite", machine: "m1", bytes: 1, addedBytes: 1 };
  const good = { backup: "b", repository: "offsite", at: "", operation: "01", taken: "2026-03-01T02:30:00Z" };
  const of = { operation: "01", primitive: "deploy", at: "2026-03-01T12:00:00Z", by: "" };
  const spec = { scope: "single" as const };
  const row = (recorded: object, origin?: { namespace: string; volume: string; snapshot: string }) =>
    backupAges(
      [
        {
          ...emptyCommit({ namespace: "prod", ...of }),
          volumes: [{ name: "data", id: "new", machine: "m1", guid: "", spec, ...(origin && { origin }) }],
        },
      ],
      {
        runs: new Map([
          [
            "backup-run.prod",
            { ...of, volumes: { data: { ...run, at: "2026-03-02T02:30:00Z", ...recorded } } },
          ],
        ]),
        verified: new Map([["backup-verify.prod", { ...of, volumes: { data: good } }]]),
      },
      at("2026-03-03T00:00:00Z"),
    )[0];
  const known = { taken: "2026-03-02T02:30:00Z", verified: "2026-03-01T02:30:00Z" };
  expect(row({})).toMatchObject(known);
  expect(row({ id: "new" })).toMatchObject(known);
  expect(row({ id: "old" })).toBeUndefined();
  expect(row({ id: "old" }, { namespace: "prod", volume: "data", snapshot: "s" })).toMatchObject(known);
  expect(row({ id: "old" }, { namespace: "pr-1", volume: "data", snapshot: "s" })).toBeUndefined();
  const since = row({ id: "new", since: "2026-03-02T02:30:00Z" });
  expect(since).toMatchObject({ taken: "2026-03-02T02:30:00Z" });
  expect(since).not.toHaveProperty("verified");
});

test("a verification has its own bound", () => {
  const now = "2026-03-20T12:00:00Z";
  expect(ages(weekly, now, "2026-03-20T02:30:00Z", "2026-03-08T05:10:00Z")[0]?.state).toBe("current");
  expect(ages(weekly, now, "2026-03-20T02:30:00Z", "2026-03-01T05:10:00Z")[0]?.state).toBe("late");
});

test("a volume without a schedule is never late, and one without backups is not listed", () => {
  expect(ages(undefined, "2036-03-01T00:00:00Z", "2026-03-02T02:30:00Z")[0]?.state).toBe("unscheduled");
  expect(ages(undefined, "2036-03-01T00:00:00Z")).toEqual([]);
});

test("a volume has one warning: of its schedule, or of eight days without one", () => {
  const codes = (backup: Policy | undefined, now: string) =>
    backupWarnings(ages(backup, now, "2026-03-02T02:30:01Z"), at(now)).map(({ code }) => code);
  const monthly: Policy = { ...policy, schedule: { ...schedule, cron: "30 2 2 * *" } };
  expect(codes(undefined, "2026-03-10T02:30:01Z")).toEqual([]);
  expect(codes(undefined, "2026-03-10T02:30:02Z")).toEqual(["backup_old"]);
  expect(codes(policy, "2026-03-20T00:00:00Z")).toEqual(["backup_late"]);
  expect(codes(monthly, "2026-03-20T00:00:00Z")).toEqual([]);
});
