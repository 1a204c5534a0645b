import Type from "typebox";
import { label } from "../model/fields.ts";
import { IMAGE } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  ref: Type.String({ pattern: IMAGE, description: "an image: its name, such as web:v4, or its digest" }),
  machines: Type.Optional(
    Type.Array(label("a machine"), {
      minItems: 1,
      maxItems: 1000,
      description: "Those that get it; default: all that receive workloads.",
    }),
  ),
  pull: Type.Optional(
    Type.Enum(["never", "always"], {
      description: "`always`: the registry's present image. Default `never`: the one that machines have.",
    }),
  ),
});
/** Input of `image-distribute`: the image and the machines that get it. */
export type ImageDistributeInput = Shape<typeof Input>;
