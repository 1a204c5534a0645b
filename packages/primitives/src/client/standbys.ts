import Type, { type Static } from "typebox";
import { ScheduleRun } from "../model/schedule.ts";
import { count, list, object, text } from "../model/schema.ts";

/**
 * `current`: within its bound. `old`: beyond it. `none`: no copy yet. `unknown`: its machine does not answer. `home`: the volume is on
 * that machine, which keeps no second copy.
 */
const StandbyState = Type.Enum(["current", "old", "none", "unknown", "home"]);

/** Where a standby is, and how far behind. */
export const standbyOf = {
  /** The machine that keeps the copy. */
  machine: text(),
  state: StandbyState,
  /** Age of its data. Absent: there is no copy yet, or nothing is known. */
  lagMs: Type.Optional(count()),
};
/** A standby in the row of its volume. */
export const VolumeStandby = object(standbyOf);

/** A standby of a volume: how far it is behind. */
export const StandbyRow = object({
  namespace: text(),
  volume: text(),
  /** The volume's id, and the machine that it is on. */
  id: text(),
  source: text(),
  /** The machine that keeps the copy. */
  machine: text(),
  everyMs: count(),
  state: StandbyState,
  /** RFC 3339: it holds everything written before. */
  holds: Type.Optional(text()),
  lagMs: Type.Optional(count()),
  /** About the bytes written since, where the volume's machine answers. */
  lagBytes: Type.Optional(count()),
  /** Of the copy with its snapshots. */
  usedBytes: Type.Optional(count()),
  /** Of the last transfer. */
  bytes: Type.Optional(count()),
  /** RFC 3339, absent while its schedule is paused. */
  next: Type.Optional(text()),
  last: Type.Optional(ScheduleRun),
});
/** Static type of the schema of this name. */
export type StandbyRow = Static<typeof StandbyRow>;
/** The standbys of all namespaces, or of one. */
export const StandbyList = object({ kind: Type.Literal("standbys"), standbys: list(StandbyRow) });
/** Static type of the schema of this name. */
export type StandbyList = Static<typeof StandbyList>;
