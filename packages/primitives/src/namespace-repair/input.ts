import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace to repair."),
  replaceNewer: Type.Optional(
    Type.Boolean({ description: "Also replace a commit that a newer version of Ployz wrote." }),
  ),
});
/** Input of the primitive `namespace-repair`; the schema above describes each field. */
export type NamespaceRepairInput = Shape<typeof Input>;
