import Type from "typebox";
import type { ChangeFacts, Head } from "../change/observe/facts.ts";
import type { Snapshots } from "../change/observe/snapshots.ts";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace that goes back."),
  to: Type.Optional(
    Type.String({
      pattern: "^(?=.{1,26}$)[0-9A-Za-z]+$",
      description:
        "A commit: its revision, or its operation id or the beginning of it. Default: the one before the last.",
    }),
  ),
  volumes: Type.Optional(
    Type.Union([
      Type.Enum(["none", "all"]),
      Type.Array(label("A volume."), { minItems: 1, maxItems: 1000, uniqueItems: true }),
    ]),
  ),
});

/** Input of the primitive `rollback`; the schema above describes each field. */
export type RollbackInput = Shape<typeof Input>;

/** Newest first. */
export type History = readonly Head[];

export type RollbackFacts = ChangeFacts & {
  readonly history: History;
  readonly snapshots: Snapshots;
};
