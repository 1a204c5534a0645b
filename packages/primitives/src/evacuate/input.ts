import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace."),
  machine: label("The machine that nothing of it is to be on."),
  lost: Type.Optional(
    Type.Literal(true, {
      description: "The machine does not answer and never will, or is no member any more: its data is lost.",
    }),
  ),
  fromStandby: Type.Optional(
    Type.Literal(true, {
      description: "With `lost`: volumes that have a standby continue as it holds them.",
    }),
  ),
  lose: Type.Optional(
    Type.Array(
      label("With `lost`: a volume whose loss, or with a standby that of its last writes, is confirmed."),
      { maxItems: 1000 },
    ),
  ),
});

/** Input of the primitive `evacuate`; the schema above describes each field. */
export type EvacuateInput = Shape<typeof Input>;
