import { hashJson } from "../engine/canonical.ts";
import type { Asked } from "../inputs.ts";
import { DEFAULTS } from "../manifest/defaults.ts";
import type { Commit } from "../model/commit.ts";
import type { Schedule } from "../model/schedule.ts";

/** Something that runs by a schedule: which operation, and when. */
export type ScheduleEntry = {
  readonly namespace: string;
  /** Unique in the namespace: the job's, or the volume's with `.snapshots` or `.standby-<machine>`. */
  readonly name: string;
  readonly schedule: Schedule;
  /** Changes with the schedule. */
  readonly hash: string;
  /** What runs for a tick (RFC 3339); without one, now. */
  asked(tick?: string): Asked;
};

/** The schedules that a namespace's last commit has. Pure. */
export function scheduleEntries({ namespace, jobs, volumes, removed }: Commit): readonly ScheduleEntry[] {
  if (removed === true) return [];
  const snapshots = volumes.flatMap(({ name: volume, spec }): ScheduleEntry[] =>
    spec.snapshots === undefined
      ? []
      : [
          entry(namespace, `${volume}.snapshots`, spec.snapshots.schedule, (tick) => ({
            primitive: "volume-keep",
            input: { namespace, volume, ...(tick !== undefined && { tick }) },
          })),
        ],
  );
  const standbys = volumes.flatMap(({ name: volume, machine: home, spec: { standby } }) =>
    (standby?.machines ?? [])
      .filter((machine) => machine !== home)
      .map((machine) =>
        entry(namespace, `${volume}.standby-${machine}`, everyOf(standby?.everyMs ?? 0), (tick) => ({
          primitive: "volume-standby-sync",
          input: { namespace, volume, machine, ...(tick !== undefined && { tick }) },
        })),
      ),
  );
  const runs = Object.entries(jobs).flatMap(
    ([
      job,
      {
        spec: { schedule },
      },
    ]): ScheduleEntry[] =>
      schedule === undefined
        ? []
        : [
            entry(namespace, job, schedule, (tick) => ({
              primitive: "job-run",
              input: { namespace, job, ...(tick !== undefined && { tick }) },
            })),
          ],
  );
  return [...runs, ...snapshots, ...standbys];
}

/** A late copy is better than none, and one at a time. */
const everyOf = (everyMs: number): Schedule => ({
  ...{ everyMs, timezone: DEFAULTS.timezone, overlap: "skip", missed: "run-once" },
  deadlineMs: DEFAULTS.deadlineMs,
});

const entry = (
  namespace: string,
  name: string,
  schedule: Schedule,
  asked: ScheduleEntry["asked"],
): ScheduleEntry => ({ namespace, name, schedule, hash: hashJson(schedule), asked });
