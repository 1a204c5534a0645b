import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace whose strays go; it need not exist any more."),
});
/** Input of the primitive `namespace-prune`; the schema above describes each field. */
export type NamespacePruneInput = Shape<typeof Input>;
