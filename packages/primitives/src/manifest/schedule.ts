import type { Refusal } from "../error-codes.ts";
import { invalid, type Segment } from "../model/field.ts";
import { shown } from "../model/names.ts";
import type { KeepRule, Schedule } from "../model/schedule.ts";
import { cronProblem } from "../schedule/cron.ts";
import { isTimezone } from "../schedule/zone.ts";
import { checkDuration } from "./bounds.ts";
import { DEFAULTS } from "./defaults.ts";
import type { ManifestSchedule } from "./schema.ts";
import { durationMs, formatDuration } from "./units.ts";

/** Rules of a schedule beyond the schema. */
export function checkSchedule(
  at: readonly Segment[],
  schedule: ManifestSchedule | undefined,
): readonly Refusal[] {
  if (schedule === undefined) return [];
  const { cron, every, timezone, deadline, jitter } = schedule;
  const problem = cron === undefined ? undefined : cronProblem(cron);
  return [
    ...((cron === undefined) === (every === undefined)
      ? [invalid(at, "needs either `cron` or `every`", 'for example cron = "0 3 * * *"')]
      : []),
    ...(problem === undefined
      ? []
      : [invalid([...at, "cron"], `${shown(cron ?? "")}: ${problem}`, 'for example "0 3 * * *"')]),
    ...checkDuration([...at, "every"], every, 1000),
    ...checkDuration([...at, "deadline"], deadline, 1000),
    ...checkDuration([...at, "jitter"], jitter, 1000),
    ...(every !== undefined && jitter !== undefined && (durationMs(jitter) ?? 0) >= (durationMs(every) ?? 0)
      ? [invalid([...at, "jitter"], "is not shorter than `every`", "choose a shorter `jitter`")]
      : []),
    ...(timezone === undefined || isTimezone(timezone)
      ? []
      : [
          invalid(
            [...at, "timezone"],
            `no time zone is called ${shown(timezone)}`,
            'for example "Europe/Berlin"',
          ),
        ]),
    ...(timezone !== undefined && cron === undefined
      ? [invalid([...at, "timezone"], "is for `cron` only", "leave `timezone` out")]
      : []),
  ];
}

/** A rule without any count above 0. */
export const checkKeep = (
  at: readonly Segment[],
  keep: KeepRule | undefined,
  hint: string,
): readonly Refusal[] =>
  keep === undefined || Object.values(keep).some((count) => count > 0)
    ? []
    : [invalid(at, "keeps nothing", hint)];

export function normalSchedule({
  cron,
  every,
  timezone,
  overlap,
  deadline,
  missed,
  jitter,
}: ManifestSchedule): Schedule {
  return {
    ...(cron !== undefined && { cron: cron.trim().replaceAll(/\s+/g, " ") }),
    ...(every !== undefined && { everyMs: durationMs(every) ?? 0 }),
    timezone: timezone ?? DEFAULTS.timezone,
    overlap: overlap ?? DEFAULTS.overlap,
    deadlineMs: deadline === undefined ? DEFAULTS.deadlineMs : (durationMs(deadline) ?? 0),
    missed: missed ?? DEFAULTS.missed,
    ...(jitter !== undefined && { jitterMs: durationMs(jitter) ?? 0 }),
  };
}

export function renderSchedule({
  cron,
  everyMs,
  timezone,
  overlap,
  deadlineMs,
  missed,
  jitterMs,
}: Schedule): ManifestSchedule {
  return {
    ...(cron !== undefined && { cron }),
    ...(everyMs !== undefined && { every: formatDuration(everyMs) }),
    ...(timezone !== DEFAULTS.timezone && { timezone }),
    ...(overlap !== DEFAULTS.overlap && { overlap }),
    ...(deadlineMs !== DEFAULTS.deadlineMs && { deadline: formatDuration(deadlineMs) }),
    ...(missed !== DEFAULTS.missed && { missed }),
    ...(jitterMs !== undefined && { jitter: formatDuration(jitterMs) }),
  };
}
