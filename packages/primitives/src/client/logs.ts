import Type, { type Static } from "typebox";
import { error, list, object, text } from "../model/schema.ts";

/** One line of a followed log, or a gap in it. */
export const LogEvent = Type.Union([
  object({
    type: Type.Literal("line"),
    machine: text(),
    namespace: text(),
    service: text(),
    instance: text(),
    time: text(),
    stream: Type.Enum(["stdout", "stderr"]),
    line: text(),
  }),
  object({
    type: Type.Literal("gap"),
    machine: text(),
    error: error(),
  }),
  /** While following: an operation has replaced instances. `started` and `ended` are their ids. */
  object({
    type: Type.Literal("change"),
    namespace: text(),
    primitive: text(),
    operation: text(),
    time: text(),
    started: list(text()),
    ended: list(text()),
  }),
]);
/** Static type of the schema of this name. */
export type LogEvent = Static<typeof LogEvent>;
