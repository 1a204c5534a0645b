import Type from "typebox";
import { label } from "../model/fields.ts";
import { IMAGE } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  ref: Type.String({
    pattern: IMAGE,
    description: "an image: its name, such as web:v4, its digest, or the beginning of its digest",
  }),
  machines: Type.Optional(
    Type.Array(label("a machine"), {
      minItems: 1,
      maxItems: 1000,
      description: "Only these; default: every member.",
    }),
  ),
});
/** Input of `image-rm`: the image and the machines. */
export type ImageRmInput = Shape<typeof Input>;
