import Type from "typebox";
import { by, label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

const port = Type.Integer({ minimum: 1, maximum: 65_535, description: "a port" });
const cells = Type.Integer({ minimum: 1, maximum: 10_000 });
/** Columns and rows. */
export const TerminalSize = Type.Object({ columns: cells, rows: cells });
/** Static type of the schema of this name. */
export type TerminalSize = Shape<typeof TerminalSize>;

const argv = Type.Array(Type.String({ maxLength: 131_072, pattern: "^[^\\u0000]*$" }), {
  minItems: 1,
  maxItems: 10_000,
  description: "a program and its arguments",
});
const program = {
  kind: Type.Literal("exec"),
  argv,
  /** Runs it on a terminal of this size. */
  terminal: Type.Optional(TerminalSize),
  /** The value of TERM. */
  term: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._+-]{0,60}$" })),
};
const connection = { kind: Type.Literal("forward"), port };
const target = {
  namespace: label("a namespace"),
  service: label("a service"),
  /** Absent: any running instance. */
  slot: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  by,
};

/** The request of ployzctl to a daemon. */
export const StreamAsk = Type.Union([
  Type.Object({
    ...program,
    ...target,
    /** Leaves the arguments out of the record. */ private: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ ...connection, ...target }),
]);
export type StreamAsk = Shape<typeof StreamAsk>;

const instance = { id: Type.String({ minLength: 1, maxLength: 200 }) };
/** The same for one instance of a machine, as daemons ask each other. */
export const InstanceAsk = Type.Union([
  Type.Object({ ...program, ...instance }),
  Type.Object({ ...connection, ...instance }),
]);
export type InstanceAsk = Shape<typeof InstanceAsk>;

/** The first frame of an answer. */
export type StreamOpened = {
  readonly machine: string;
  readonly instance: string;
  readonly slot: number;
  readonly of: number;
};
