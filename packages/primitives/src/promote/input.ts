import Type from "typebox";
import { byName, label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  source: label("The namespace whose services are promoted."),
  target: label("The namespace that gets them."),
  volumes: Type.Optional(
    byName(
      Type.Enum(["keep", "replace"]),
      "By volume: `replace` gives the target the source's data; the default is to keep the target's.",
    ),
  ),
});
/** Input of the primitive `promote`; the schema above describes each field. */
export type PromoteInput = Shape<typeof Input>;
