import Type, { type Static } from "typebox";
import { OperationState } from "./operation.ts";
import type { Plan } from "./plan.ts";
import { count, error, json, list, map, object, text } from "./schema.ts";

const Owed = object({ step: text(), error: error() });
export type Owed = Static<typeof Owed>;

/** The commit point as journaled: enough to recognise it in the store. */
const PointSummary = object({
  kind: Type.Enum(["namespace", "fact"]),
  /** Namespace or fact key. */
  key: text(),
  expected: count(),
  /** Hash of the value; settles a fact that carries no operation id. */
  hash: text(),
});
export type PointSummary = Static<typeof PointSummary>;

const steps = list(object({ id: text(), kind: text(), args: json(), title: text(), needs: list(text()) }));
const plan = Type.Unsafe<Plan>(
  object({
    basis: list(object({ key: text(), revision: count() })),
    prepare: steps,
    settle: steps,
    summary: map(json()),
    changes: Type.Boolean(),
    warnings: list(text()),
  }),
);

const stamp = {
  /** Milliseconds since the epoch, by the writer's clock. */
  t: Type.Number(),
  /** Unique per run, so that no runner takes another's entry for its own retry. */
  run: text(),
};
const entry = <T extends string, P extends Type.TProperties>(type: T, fields: P) =>
  object({ type: Type.Literal(type), ...fields, ...stamp });

const opening = {
  operation: text(),
  primitive: text(),
  version: count(),
  input: json(),
  scope: list(text()),
  coordinator: text(),
  by: text(),
};
const Opening = object(opening);
/** The identity of an operation, fixed by its first entry. `coordinator`: the machine that runs it; `by`: the user. */
export type Opening = Static<typeof Opening>;

/** One entry of an operation's journal. */
export const JournalEntry = Type.Union([
  entry("opened", opening),
  /** The first plan, or a new one after the last was undone. */
  entry("planned", { plan }),
  /** Another runner continues it, or the same machine after a restart. */
  entry("resumed", { coordinator: text(), why: text() }),
  /** Its daemon restarted and no longer runs it; no runner has resumed it yet. */
  entry("interrupted", { error: error() }),
  entry("step-started", { step: text() }),
  /** `from`: when it began, of a step without a `step-started`. */
  entry("step-done", { step: text(), out: json(), from: Type.Optional(Type.Number()) }),
  entry("step-failed", { step: text(), error: error(), from: Type.Optional(Type.Number()) }),
  entry("committing", { point: PointSummary }),
  entry("committed", { revision: count() }),
  /** From here on the plan is undone, because of `error`. */
  entry("unwinding", { error: error(), final: Type.Enum(["failed", "aborted"]) }),
  entry("undo-started", { step: text() }),
  entry("undo-done", { step: text() }),
  entry("undo-failed", { step: text(), error: error() }),
  entry("ended", {
    state: Type.Exclude(OperationState, Type.Enum(["running", "interrupted"])),
    error: Type.Optional(error()),
    owed: list(Owed),
  }),
]);
/** Static type of the schema of this name. */
export type JournalEntry = Static<typeof JournalEntry>;

type WithoutStamp<T> = T extends unknown ? Omit<T, keyof typeof stamp> : never;
/** One entry of a journal, without operation and time. */
export type EntryBody = WithoutStamp<JournalEntry>;
