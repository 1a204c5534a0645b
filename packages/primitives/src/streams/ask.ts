import Type from "typebox";
import { by, label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

/** `NAMESPACE.SERVICE.run.TAIL` */
export const RUN_ID = "^[a-z0-9][a-z0-9-]{0,62}\\.[a-z0-9][a-z0-9-]{0,62}\\.run\\.[a-z0-9]{8}$";

/** `NAMESPACE.SERVICE.once.TAIL` */
const ONCE_ID = RUN_ID.replace("run", "once");

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
const screen = {
  /** Runs it on a terminal of this size. */
  terminal: Type.Optional(TerminalSize),
  /** The value of TERM. */
  term: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._+-]{0,60}$" })),
};
const program = { kind: Type.Literal("exec"), argv, ...screen };
/** An interactive instance of a `volume-run`, of which no commit knows. */
const once = Type.Object({
  machine: label("a machine"),
  id: Type.String({ pattern: ONCE_ID, description: "an instance of a volume-run" }),
});
const flag = Type.Optional(Type.Boolean());
const oneOff = {
  kind: Type.Literal("run"),
  /** Absent: the service's own command. */
  argv: Type.Optional(argv),
  ...screen,
  /** The caller sends input: the program ends with the connection. */
  interactive: flag,
  /** Does not wait for its end. */
  detach: flag,
  /** Stops it when the connection is lost. */
  rm: flag,
  /** Its instance stays after its end, with its files and its log, until it is removed by its id. */
  keep: flag,
};
const connection = { kind: Type.Literal("forward"), port };
const target = {
  namespace: label("a namespace"),
  service: label("a service"),
  /** Absent: any running instance. */
  slot: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  by,
};

/** Leaves the arguments out of the record. */
const hidden = { private: flag };
/** What the record has in place of the arguments. */
const as = Type.Optional(
  Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^\\u0000-\\u001f\\u007f]*$" }),
);

/** The request of ployzctl to a daemon. */
export const StreamAsk = Type.Union([
  Type.Object({ ...program, ...target, ...hidden, as, once: Type.Optional(once) }),
  Type.Object({ ...oneOff, ...target, ...hidden }),
  Type.Object({ ...connection, ...target }),
]);
export type StreamAsk = Shape<typeof StreamAsk>;

const runId = Type.String({ pattern: RUN_ID, description: "a run" });
const instance = { id: Type.String({ minLength: 1, maxLength: 200 }) };
/** The same for one instance of a machine, as daemons ask each other. */
export const InstanceAsk = Type.Union([
  Type.Object({ ...program, ...instance, once: flag }),
  /** `id`: an instance of the service, whose program, environment and secrets the new one has. */
  Type.Object({ ...oneOff, ...instance, ...hidden, by, run: runId }),
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
