import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  all: Type.Optional(
    Type.Boolean({ description: "Everything that nothing needs, whatever the retention of its machine." }),
  ),
  machines: Type.Optional(
    Type.Array(label("a machine"), {
      minItems: 1,
      maxItems: 1000,
      description: "Only these; default: every member.",
    }),
  ),
});
/** Input of `image-prune`: whether the retention counts, and the machines. */
export type ImagePruneInput = Shape<typeof Input>;
