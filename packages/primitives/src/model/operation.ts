import Type, { type Static } from "typebox";
import type { Json } from "./json.ts";
import { count, error, json, list, object, text } from "./schema.ts";

/** One command as the local API takes it. */
export type OperationRequest = {
  readonly primitive: string;
  readonly input: Json;
  readonly mode: "preview" | "prepare" | "apply";
  /** With `apply`: the id of a prepared plan, which says primitive and input. */
  readonly prepared?: string;
  /** Never journaled, logged or echoed: an SSH private key, accepted host keys. */
  readonly credentials?: {
    readonly identity?: string;
    readonly agentSocket?: string;
    readonly acceptHostKeys?: "new" | readonly string[];
  };
  readonly by: string;
};

/** Where an operation stands. */
export const OperationState = Type.Enum([
  "running",
  "done",
  "failed",
  "aborted",
  "interrupted",
  "cleanup-owed",
]);
/** Static type of the schema of this name. */
export type OperationState = Static<typeof OperationState>;

const steps = list(
  object({ id: text(), title: text(), machine: Type.Optional(text()), needs: list(text()) }),
);

/** A plan as shown: without arguments, which hold environment values. */
export const PlanView = object({
  kind: Type.Literal("plan"),
  primitive: text(),
  hash: text(),
  changes: Type.Boolean(),
  summary: json(),
  warnings: list(text()),
  /** Kept, to be applied by this id until then. */
  prepared: Type.Optional(
    object({
      id: text(),
      expiresAt: text(),
    }),
  ),
  /** Losses that are not accepted yet: without that it is refused. */
  unconfirmed: Type.Optional(list(error())),
  prepare: steps,
  settle: steps,
});
/** `S`: the summary of its primitive. */
export type PlanView<S = Json> = Omit<Static<typeof PlanView>, "summary"> & { readonly summary: S };

/** Steps after the commit, or undos, that did not succeed. */
const owed = list(object({ step: text(), error: error() }));

/** How an operation ended. `operation`: absent when there was nothing to change, which leaves no record. `ms`: milliseconds. */
export const OperationResult = object({
  kind: Type.Literal("operation"),
  operation: Type.Optional(text()),
  primitive: text(),
  state: OperationState,
  changed: Type.Boolean(),
  revision: Type.Optional(count()),
  output: json(),
  error: Type.Optional(error()),
  owed,
  warnings: list(text()),
  ms: Type.Number(),
});
/** `R`: the result of its primitive, null without a commit. */
export type OperationResult<R extends Json = Json> = Omit<Static<typeof OperationResult>, "output"> & {
  readonly output: R | null;
};

/** Schema of the event that an operation waits. */
export const waitingEvent = object({ type: Type.Literal("waiting"), what: text() });
/** Schema of the event that a step changed its state. */
export const stepEvent = object({
  type: Type.Literal("step"),
  step: text(),
  title: text(),
  machine: Type.Optional(text()),
  state: Type.Enum(["started", "done", "failed", "undoing", "undone", "undo-failed"]),
  ms: Type.Optional(Type.Number()),
  error: Type.Optional(error()),
});

/** One event of a running operation; `result` or `refused` is the last. */
export const OperationEvent = Type.Union([
  object({
    type: Type.Literal("accepted"),
    operation: text(),
    primitive: text(),
    resumed: Type.Boolean(),
  }),
  waitingEvent,
  object({
    type: Type.Literal("plan"),
    plan: PlanView,
  }),
  stepEvent,
  object({
    type: Type.Literal("progress"),
    step: text(),
    note: text(),
    done: Type.Optional(count()),
    total: Type.Optional(count()),
  }),
  object({
    type: Type.Literal("committed"),
    revision: count(),
  }),
  object({
    type: Type.Literal("refused"),
    refusals: list(error()),
  }),
  object({
    type: Type.Literal("result"),
    result: OperationResult,
  }),
]);
/** Static type of the schema of this name. */
export type OperationEvent = Static<typeof OperationEvent>;

/** One line of the operation log: what the journal adds up to. */
export const OperationSummary = object({
  operation: text(),
  primitive: text(),
  scope: list(text()),
  state: OperationState,
  coordinator: text(),
  by: text(),
  startedAt: text(),
  endedAt: Type.Optional(text()),
  revision: Type.Optional(count()),
  error: Type.Optional(error()),
  title: text(),
});
export type OperationSummary = Static<typeof OperationSummary>;

/** An operation with its plan and steps. */
export const OperationDetail = object({
  kind: Type.Literal("operation-detail"),
  summary: OperationSummary,
  plan: Type.Optional(PlanView),
  steps: list(
    object({
      id: text(),
      title: text(),
      machine: Type.Optional(text()),
      phase: Type.Enum(["prepare", "settle"]),
      state: Type.Enum(["pending", "started", "done", "failed", "undone", "undo-failed"]),
      ms: Type.Optional(Type.Number()),
      error: Type.Optional(error()),
    }),
  ),
  owed: owed,
});
/** Static type of the schema of this name. */
export type OperationDetail = Static<typeof OperationDetail>;

/** The newest operations. */
export const OperationList = object({ kind: Type.Literal("operations"), operations: list(OperationSummary) });
/** Static type of the schema of this name. */
export type OperationList = Static<typeof OperationList>;

/** `state`: the state of the operation to abort; `running`: its runner was asked to abort it. */
export const OperationAbort = object({
  kind: Type.Literal("abort"),
  operation: text(),
  state: OperationState,
  revision: Type.Optional(count()),
  error: Type.Optional(error()),
  owed: Type.Optional(owed),
  warnings: Type.Optional(list(text())),
});
export type OperationAbort = Static<typeof OperationAbort>;
