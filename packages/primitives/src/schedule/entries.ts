import { hashJson } from "../engine/canonical.ts";
import type { Asked } from "../inputs.ts";
import type { Commit } from "../model/commit.ts";
import type { Schedule } from "../model/schedule.ts";

/** Something that runs by a schedule: which operation, and when. */
export type ScheduleEntry = {
  readonly namespace: string;
  /** Unique in the namespace: the job's, or the volume's with `.snapshots`. */
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
  return [...runs, ...snapshots];
}

const entry = (
  namespace: string,
  name: string,
  schedule: Schedule,
  asked: ScheduleEntry["asked"],
): ScheduleEntry => ({ namespace, name, schedule, hash: hashJson(schedule), asked });
