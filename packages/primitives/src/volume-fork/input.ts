import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

const Where = (what: string) =>
  Type.Object(
    { namespace: label(`Namespace of ${what}.`), volume: label(`Name of ${what}.`) },
    { additionalProperties: false },
  );
export const Input = Type.Object({
  source: Where("the volume that is forked"),
  target: Where("the fork"),
  snapshot: Type.Optional(
    Type.String({
      pattern: "^(?=.{1,100}$)[a-z0-9][a-z0-9-]*$",
      description: "One of its snapshots, also of a retired copy, instead of its present data.",
    }),
  ),
  machine: Type.Optional(label("Another machine for the fork; its data is then copied there.")),
});
/** Input of the primitive `volume-fork`; the schema above describes each field. */
export type VolumeForkInput = Shape<typeof Input>;
