import type { ScheduleRow } from "@ployz/primitives/client";
import { type OperationSummary, scheduleTitle } from "@ployz/primitives/protocol";
import { type Warning, warning } from "./codes.ts";

/** A failure this long ago is history. */
const RECENT_MS = 60 * 60_000;

/** Operations that were interrupted or owe cleanup, and subjects whose last operation failed. Pure. */
export function operationWarnings(
  {
    operations,
    schedules,
  }: { readonly operations: readonly OperationSummary[]; readonly schedules: readonly ScheduleRow[] },
  now: number,
): readonly Warning[] {
  return [
    ...operations
      .filter(({ state }) => state === "interrupted" || state === "cleanup-owed")
      .map(({ operation, primitive, state }) =>
        warning("operation_open", operation, {
          message: `${primitive} ${operation} is ${state}`,
          hint: `run the same command again, or: ployzctl ops abort ${operation}`,
        }),
      ),
    ...failures(operations, now),
    ...schedules.flatMap(scheduleWarnings),
  ];
}

/** Runs of schedules have warnings of their own. */
const SCHEDULED = /^schedule /;

/** An operator's own programs: how they end is seen where they were started, and their titles have arguments. */
const PROGRAMS = new Set(["exec", "run"]);

/** Not the error's message: it may quote the output of a program, and alerts leave the cluster. */
const withCode = (error: { readonly code: string } | undefined) =>
  error === undefined ? "" : `: ${error.code}`;

/** By the title, which names primitive and subject: a later one that ends well ends the warning. */
function failures(operations: readonly OperationSummary[], now: number): readonly Warning[] {
  const last = new Map<string, OperationSummary>();
  for (const one of operations) {
    if (one.endedAt === undefined || SCHEDULED.test(one.by) || PROGRAMS.has(one.primitive)) continue;
    const known = last.get(one.title)?.endedAt ?? "";
    if (one.endedAt > known) last.set(one.title, one);
  }
  return [...last.values()]
    .filter(({ state, endedAt = "" }) => state === "failed" && now - Date.parse(endedAt) < RECENT_MS)
    .map(({ operation, title, error }) =>
      warning("operation_failed", title, {
        message: `${title} failed${withCode(error)}`,
        hint: `see why: ployzctl ops show ${operation}`,
      }),
    );
}

const STANDBY = "volume-standby-sync";

/**
 * A run that was refused is as good as failed, unless another operation was at work on the same just then, or it was a standby's: how old
 * that is has a warning of its own.
 */
const isFailed = (run: ScheduleRow["last"], primitive: string): boolean =>
  run?.state === "failed" ||
  (run?.state === "refused" && run.error?.code !== "scope_busy" && primitive !== STANDBY);

function scheduleWarnings(row: ScheduleRow): readonly Warning[] {
  const { primitive, last, missed, paused } = row;
  const what = scheduleTitle(row);
  const hint = `see its runs: ployzctl schedule show ${what}`;
  const newest = missed.at(-1);
  const found: Warning[] = [];
  // While a run goes, how it ends is not known: that of the one before counts.
  const ended = last !== undefined && last.endedAt === undefined ? row.before : last;
  if (isFailed(ended, primitive))
    found.push(
      warning("schedule_failed", what, {
        message: `the last run of ${what} ${ended?.state === "refused" ? "was refused" : "failed"}${withCode(ended?.error)}`,
        hint,
      }),
    );
  // A copy that takes longer than the interval leaves one out.
  const behind = primitive === STANDBY && newest?.why === "overlap";
  if (paused === undefined && newest !== undefined && !behind && newest.tick > (last?.tick ?? ""))
    found.push(
      warning("schedule_missed", what, {
        message: `${what} did not run at ${newest.tick}: ${newest.why}`,
        hint,
      }),
    );
  return found;
}
