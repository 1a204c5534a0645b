import { hashJson } from "../engine/canonical.ts";
import type { Asked } from "../inputs.ts";
import { DEFAULTS } from "../manifest/defaults.ts";
import { CLUSTER_SCHEDULES } from "../model/cluster-names.ts";
import type { Commit } from "../model/commit.ts";
import type { ClusterSchedule, Schedule } from "../model/schedule.ts";

/** Something that runs by a schedule: which operation, and when. */
export type ScheduleEntry = {
  readonly namespace: string;
  /**
   * Unique in the namespace: the job's, or the volume's with `.snapshots`, `.standby-<machine>`, `.backup` or `.verify`, or that of a schedule of the
   * cluster with `.prune`.
   */
  readonly name: string;
  readonly schedule: Schedule;
  /** Waits for another operation on the same, such as the backup of another volume, instead of failing. */
  readonly patient?: true;
  /** Changes with the schedule. */
  readonly hash: string;
  /** How much later than its ticks it runs, in milliseconds. */
  readonly offsetMs?: number;
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
  const backups = volumes.flatMap(({ name: volume, spec: { backup } }): ScheduleEntry[] => {
    if (backup === undefined) return [];
    const { repository, schedule, verify } = backup;
    return [
      {
        ...entry(namespace, `${volume}.backup`, schedule, (tick) => ({
          primitive: "backup-run",
          input: { namespace, volume, repository, scheduled: true, ...(tick !== undefined && { tick }) },
        })),
        patient: true,
      },
      ...(verify === undefined
        ? []
        : [
            {
              ...entry(namespace, `${volume}.verify`, verify.schedule, (tick) => ({
                primitive: "backup-verify",
                input: {
                  ...{ namespace, volume, repository },
                  ...(verify.job !== undefined && { job: verify.job }),
                  ...(tick !== undefined && { tick }),
                },
              })),
              patient: true,
            } as const,
          ]),
    ];
  });
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
  return [...runs, ...snapshots, ...standbys, ...backups];
}

/** The schedules of all namespaces and of the cluster. Pure. */
export const allEntries = (
  heads: readonly Commit[],
  cluster: readonly ClusterSchedule[],
): readonly ScheduleEntry[] => [
  ...heads.flatMap(scheduleEntries),
  ...cluster.flatMap((one) => clusterEntries(one, heads)),
];

function clusterEntries(
  { name, runs, schedule, repository, keep, removed }: ClusterSchedule,
  heads: readonly Commit[],
): readonly ScheduleEntry[] {
  if (removed === true) return [];
  if (runs === "volume-prune")
    return heads.flatMap(({ namespace, removed: gone }) =>
      gone === true
        ? []
        : [
            {
              ...entry(namespace, `${name}.prune`, schedule, () => ({
                primitive: "volume-prune",
                input: { namespace },
              })),
              patient: true,
            },
          ],
    );
  return [
    {
      ...entry(CLUSTER_SCHEDULES, name, schedule, () =>
        runs === "image-prune"
          ? { primitive: "image-prune", input: {} }
          : {
              primitive: "store-backup",
              input: { ...(repository !== undefined && { repository }), ...(keep && { keep }) },
            },
      ),
      patient: true,
    },
  ];
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
): ScheduleEntry => ({
  ...{ namespace, name, schedule, hash: hashJson(schedule), asked },
  ...(schedule.jitterMs !== undefined && { offsetMs: offsetOf([namespace, name], schedule.jitterMs) }),
});

/** The same on every machine and for every tick: the time of the next run is known, and ticks keep their order. */
const offsetOf = (name: readonly [string, string], jitterMs: number): number =>
  Number.parseInt(hashJson([...name]).slice(-8), 16) % (jitterMs + 1);
