import { scheduleTitle } from "@ployz/primitives/client";
import type { Json, ScheduleDocument, ScheduleList, ScheduleRow } from "../../api.ts";
import { ago, type Cell, duration, lines, type Page, table } from "../page.ts";

export function schedulesPage({ schedules }: ScheduleList, now: number): Page {
  return [
    table(
      "schedule",
      ["SCHEDULE", "WHEN", "NEXT", "LAST", "RESULT", "MISSED"],
      schedules.map((row) => [
        scheduleTitle(row),
        whenOf(row),
        nextOf(row, now),
        ago(row.last?.tick, now),
        resultOf(row),
        { text: String(missedOf(row)), tone: row.missed.length === 0 ? "dim" : "warn" },
      ]),
      {
        empty: "no schedules; a job of a manifest may have one, and the cluster: ployzctl schedule add",
        drop: ["LAST", "MISSED"],
      },
    ),
  ];
}

export function schedulePage({ changed, ...row }: ScheduleDocument, now: number): Page {
  const name = scheduleTitle(row);
  if (changed !== undefined) {
    const state = row.paused === undefined ? "runs again" : "is paused";
    return [lines({ text: changed ? `${name} ${state}` : `${name} ${state} already`, tone: "ok" })];
  }
  const { last, paused } = row;
  return [
    lines(
      `${name}: ${whenOf(row)}`,
      `runs ${row.primitive}`,
      ...(paused === undefined
        ? [`next ${row.next ?? "-"}`]
        : [`paused ${ago(paused.at, now)} by ${paused.by}`]),
      ...(last === undefined
        ? ["its schedule has not run it yet"]
        : [
            `last ${last.tick} on ${last.machine}: ${runState(last)}${last.operation === undefined ? "" : ` (ployzctl ops show ${last.operation})`}`,
            ...(last.error === undefined ? [] : [{ text: last.error.message, tone: "bad" as const }]),
          ]),
    ),
    table(
      "missed",
      ["MISSED", "RUNS", "WHY"],
      row.missed.map(({ tick, before, why }) => [tick, String(before + 1), WHY[why]]),
      { empty: "no missed runs" },
    ),
  ];
}

const WHY = {
  late: "no machine could run it in time",
  overlap: "the run before had not ended",
  lost: "its machine was lost before it ran",
  clock: "a machine's clock was ahead: runs up to then may be missing",
} as const;

const missedOf = ({ missed }: ScheduleRow): number => missed.reduce((sum, { before }) => sum + before + 1, 0);

function whenOf({ schedule: { cron, everyMs, timezone, jitterMs } }: ScheduleRow): string {
  const later = jitterMs === undefined ? "" : `, up to ${duration(jitterMs)} later`;
  if (cron === undefined) return `every ${duration(everyMs ?? 0)}${later}`;
  return `${timezone === "UTC" ? cron : `${cron} ${timezone}`}${later}`;
}

function nextOf({ next, paused }: ScheduleRow, now: number): Cell {
  if (paused !== undefined) return { text: "paused", tone: "warn" };
  return next === undefined ? "-" : `in ${duration(Math.max(0, Date.parse(next) - now))}`;
}

/** A claim is how a machine takes a run: its operation begins at once. */
export const runState = ({ state = "running" }: NonNullable<ScheduleRow["last"]>): string =>
  state === "claimed" ? "begins" : state;

/** States of a run without an end. */
export const WAITS: ReadonlySet<string> = new Set(["running", "claimed", "waiting"]);

function resultOf({ last }: ScheduleRow): Cell {
  if (last === undefined) return "-";
  const { state = "running" } = last;
  return { text: runState(last), tone: state === "done" ? "ok" : WAITS.has(state) ? "dim" : "bad" };
}

type Summary = Readonly<{
  kind: string;
  schedule: string;
  runs: string;
  when?: Readonly<Partial<Record<"cron" | "every" | "timezone", string>>>;
  repository?: string;
}>;
const isSummary = (value: unknown): value is Summary =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  (value.kind === "schedule-add" || value.kind === "schedule-rm");

/** The summary of an operation on schedules of the cluster. */
export function scheduleLines(summary: Json): readonly Cell[] {
  if (!isSummary(summary)) return [];
  const { kind, schedule, runs, when = {}, repository } = summary;
  if (kind === "schedule-rm") return [{ text: `- schedule ${schedule}: ${runs}`, tone: "bad" }];
  const { cron, every, timezone } = when;
  const at = cron === undefined ? `every ${every}` : [cron, timezone].filter(Boolean).join(" ");
  const to = repository === undefined ? "" : ` to ${repository}`;
  return [{ text: `+ schedule ${schedule}: ${runs}${to}, ${at}`, tone: "ok" }];
}
