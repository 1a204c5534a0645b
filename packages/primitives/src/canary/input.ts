import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

/** Of `canary-finish` and `canary-undo`. */
export const CanaryInput = Type.Object({
  namespace: label("The namespace of the services."),
  services: Type.Optional(
    Type.Array(label("A service that has a canary."), {
      minItems: 1,
      maxItems: 1000,
      uniqueItems: true,
      description: "All with a canary when left out.",
    }),
  ),
});
/** Input of the primitives `canary-finish` and `canary-undo`; the schema above describes each field. */
export type CanaryInput = Shape<typeof CanaryInput>;
