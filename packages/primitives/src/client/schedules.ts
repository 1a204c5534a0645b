import Type, { type Static } from "typebox";
import { MissedTick, Schedule, ScheduleRun } from "../model/schedule.ts";
import { json, list, object, text } from "../model/schema.ts";

const scheduleRow = {
  namespace: text(),
  /** Unique in the namespace: the job's, or the volume's with `.snapshots`, `.standby-<machine>`, `.backup` or `.verify`. */
  name: text(),
  schedule: Schedule,
  /** RFC 3339, absent while it is paused. */
  next: Type.Optional(text()),
  paused: Type.Optional(object({ at: text(), by: text() })),
  /** `state`: that of its operation; `claimed` before there is one. */
  last: Type.Optional(ScheduleRun),
  /** The run before `last`, while that one has not ended. */
  before: Type.Optional(ScheduleRun),
  /** Oldest first, the last ten. */
  missed: list(MissedTick),
  /** The operation that runs. */
  primitive: text(),
  input: json(),
};
/** A schedule of a namespace: what runs, when next, and how the last run ended. */
export const ScheduleRow = object(scheduleRow);
/** Static type of the schema of this name. */
export type ScheduleRow = Static<typeof ScheduleRow>;
/** The schedules of all namespaces, or of one. */
export const ScheduleList = object({ kind: Type.Literal("schedules"), schedules: list(ScheduleRow) });
/** Static type of the schema of this name. */
export type ScheduleList = Static<typeof ScheduleList>;
/** One schedule. `changed`: after it was paused or resumed, whether it was not before. */
export const ScheduleDocument = object({
  kind: Type.Literal("schedule"),
  changed: Type.Optional(Type.Boolean()),
  ...scheduleRow,
});
/** Static type of the schema of this name. */
export type ScheduleDocument = Static<typeof ScheduleDocument>;
