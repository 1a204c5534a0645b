import Type from "typebox";
import { volumeFields } from "../change/input.ts";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("Its name."),
  machine: label("Where it is made."),
  ...volumeFields,
});
/** Input of the primitive `volume-create`; the schema above describes each field. */
export type VolumeCreateInput = Shape<typeof Input>;
