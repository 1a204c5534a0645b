import Type, { type Static } from "typebox";
import { address, error, list, object, text } from "../model/schema.ts";

const state = {
  id: text(),
  namespace: text(),
  service: text(),
  address: address(),
  /** Its program belongs to a connection, and ends with it. */
  interactive: Type.Boolean(),
  /** Absent: the service's own command, or its caller kept it out of records. */
  argv: Type.Optional(list(text())),
  by: text(),
  /** RFC 3339. */
  at: text(),
  /** It stays after its end, until it is removed by its id. Absent: it is removed at its end. */
  keep: Type.Optional(Type.Literal(true)),
  /** Of one that is kept and has ended. */
  exitCode: Type.Optional(Type.Integer()),
  /** `ended`: it is being removed, or it is kept. */
  state: Type.Enum(["running", "ended"]),
};
/** A one-off instance, as its machine knows it. */
export const RunState = object(state);
/** Static type of the schema of this name. */
export type RunState = Static<typeof RunState>;

/** The same, with its machine. */
export const RunRow = object({ ...state, machine: text() });
/** Static type of the schema of this name. */
export type RunRow = Static<typeof RunRow>;

/** One-off instances of all machines. */
export const RunList = object({
  kind: Type.Literal("runs"),
  runs: list(RunRow),
  /** Machines that did not answer. */
  unreachable: list(object({ machine: text(), error: error() })),
});
/** Static type of the schema of this name. */
export type RunList = Static<typeof RunList>;

/** Answer to the end of a one-off instance. */
export const RunStopped = object({ kind: Type.Literal("run-stopped"), id: text(), machine: text() });
/** Static type of the schema of this name. */
export type RunStopped = Static<typeof RunStopped>;
