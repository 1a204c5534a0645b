import Type, { type Static } from "typebox";
import { label } from "./fields.ts";
import { count, error, list, object, text } from "./schema.ts";

/** When something runs: cron fields in a time zone, or an interval. */
export const Schedule = object({
  /** Five fields. */
  cron: Type.Optional(text()),
  /** Milliseconds between two ticks, counted from the epoch. */
  everyMs: Type.Optional(count()),
  /** IANA time zone of the cron fields. */
  timezone: text(),
  /** When the run before has not ended: `skip` the tick, or `wait` for that run: of several that wait, the last one runs. */
  overlap: Type.Enum(["skip", "wait"]),
  /** How late, in milliseconds, a tick may still run. */
  deadlineMs: count(),
  /** How much later than its ticks it runs, in milliseconds, at most: always as much, by its name. */
  jitterMs: Type.Optional(count()),
  /** What becomes of ticks later than that: they are reported, or the last of them runs. */
  missed: Type.Enum(["report", "run-once"]),
});
/** Static type of the schema of this name. */
export type Schedule = Static<typeof Schedule>;

/** How many snapshots or backups stay: the newest ones, and the newest of each of the last hours, days, weeks, months and years, in UTC. */
export const KeepRule = object({
  last: Type.Optional(count()),
  hourly: Type.Optional(count()),
  daily: Type.Optional(count()),
  weekly: Type.Optional(count()),
  monthly: Type.Optional(count()),
  yearly: Type.Optional(count()),
});
/** Static type of the schema of this name. */
export type KeepRule = Static<typeof KeepRule>;

/** The last run of a schedule. */
export const ScheduleRun = object({
  /** RFC 3339: when it was due. */
  tick: text(),
  /** The machine whose daemon fired it. */
  machine: text(),
  startedAt: text(),
  operation: Type.Optional(text()),
  /** The operation on the same that it waits for: it has none of its own yet. */
  waitsFor: Type.Optional(text()),
  /** Absent: it runs, or its machine has not reported. */
  endedAt: Type.Optional(text()),
  state: Type.Optional(text()),
  error: Type.Optional(error()),
});
/** Static type of the schema of this name. */
export type ScheduleRun = Static<typeof ScheduleRun>;

/** A tick that did not run. */
export const MissedTick = object({
  tick: text(),
  why: Type.Enum(["late", "overlap", "lost", "clock"]),
  /** Ticks before it that were missed for the same reason, and are in no other entry. Of cron, at most a thousand are counted at once. */
  before: count(),
});
/** Static type of the schema of this name. */
export type MissedTick = Static<typeof MissedTick>;

/** What has become of the ticks of a schedule, as the fact `schedule.<namespace>.<name>`: each write is one machine's claim. */
export const ScheduleRecord = object({
  /** Hash of the schedule: after a change counting starts again. */
  schedule: text(),
  /** RFC 3339. Ticks up to this one are decided. */
  decided: text(),
  run: Type.Optional(ScheduleRun),
  /** The run before that one: how it ended counts until the present one has ended. */
  before: Type.Optional(ScheduleRun),
  /** Oldest first, the last ten. */
  missed: list(MissedTick),
  paused: Type.Optional(object({ at: text(), by: text() })),
});
/** Static type of the schema of this name. */
export type ScheduleRecord = Static<typeof ScheduleRecord>;

/** What a schedule of the cluster runs. */
export const CLUSTER_RUNS = ["store-backup", "image-prune", "volume-prune"] as const;

/** A schedule of the cluster, as the fact `cluster-schedule.<name>`. */
export const ClusterSchedule = object({
  operation: text(),
  at: text(),
  by: text(),
  name: label(),
  /** `volume-prune` runs for each namespace by itself. */
  runs: Type.Enum([...CLUSTER_RUNS]),
  schedule: Schedule,
  /** Of `store-backup`. */
  repository: Type.Optional(label()),
  /** Of `store-backup`: which of its backups stay. Absent: all. */
  keep: Type.Optional(KeepRule),
  removed: Type.Optional(Type.Literal(true)),
});
/** Static type of the schema of this name. */
export type ClusterSchedule = Static<typeof ClusterSchedule>;

/** Key of the fact about a schedule of the cluster. */
export const clusterScheduleKey = (name: string): `cluster-schedule.${string}` => `cluster-schedule.${name}`;

/** Key of the fact. */
export const scheduleKey = (namespace: string, name: string): `schedule.${string}` =>
  `schedule.${namespace}.${name}`;
