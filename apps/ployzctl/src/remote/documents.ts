import { list, object, text } from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

const row = { name: text(), hosts: list(text()), current: Type.Boolean() };

export const ContextDocument = object({ kind: Type.Literal("context"), ...row });
export type ContextDocument = Static<typeof ContextDocument>;
export const ContextRemoved = object({
  kind: Type.Literal("context-removed"),
  name: text(),
  /** It was the context in use: commands use this machine's daemon again. */
  current: Type.Boolean(),
});
export type ContextRemoved = Static<typeof ContextRemoved>;
export const ContextList = object({
  kind: Type.Literal("contexts"),
  /** Null: this machine's own daemon. */
  current: Type.Union([text(), Type.Null()]),
  contexts: list(object(row)),
});
export type ContextList = Static<typeof ContextList>;
