import Type from "typebox";
import { label, machineLabels, place } from "../model/fields.ts";
import { LIMITS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  machine: label("The machine."),
  labels: Type.Optional(machineLabels("Labels to set.")),
  remove: Type.Optional(
    Type.Array(Type.String({ pattern: patterns.LABEL_KEY }), {
      maxItems: LIMITS.labels,
      uniqueItems: true,
      description: "Labels to remove.",
    }),
  ),
  region: Type.Optional(place("Its region.")),
  az: Type.Optional(place("Its zone.")),
});
/** Input of the primitive `machine-label`; the schema above describes each field. */
export type MachineLabelInput = Shape<typeof Input>;
