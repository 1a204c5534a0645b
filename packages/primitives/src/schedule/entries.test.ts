import { expect, test } from "vitest";
import { emptyCommit } from "../model/commit.ts";
import type { ClusterSchedule } from "../model/schedule.ts";
import { allEntries } from "./entries.ts";

const by = { operation: "0", at: "", by: "" };
const head = (namespace: string, removed?: true) => ({
  ...emptyCommit({ namespace, primitive: "deploy", ...by }),
  ...(removed && { removed }),
});
const schedule = {
  ...{ everyMs: 60_000, timezone: "UTC", deadlineMs: 60_000 },
  ...{ overlap: "skip" as const, missed: "run-once" as const },
};
const own = (name: string, runs: ClusterSchedule["runs"], more: Partial<ClusterSchedule> = {}) => ({
  ...{ ...by, name, runs, schedule, ...more },
});

test("a prune of volumes is a schedule of each namespace that is there; the others are the cluster's", () => {
  const entries = allEntries(
    [head("prod"), head("gone", true)],
    [
      own("tidy", "volume-prune"),
      own("store", "store-backup", { repository: "offsite", keep: { last: 3 } }),
      own("images", "image-prune"),
      own("old", "image-prune", { removed: true }),
    ],
  );
  expect(
    entries.map(({ namespace, name, asked }) => [namespace, name, asked("2026-01-01T00:00:00Z")]),
  ).toEqual([
    ["prod", "tidy.prune", { primitive: "volume-prune", input: { namespace: "prod" } }],
    ["-", "store", { primitive: "store-backup", input: { repository: "offsite", keep: { last: 3 } } }],
    ["-", "images", { primitive: "image-prune", input: {} }],
  ]);
});
