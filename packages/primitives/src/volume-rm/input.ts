import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume that goes."),
});
/** Input of the primitive `volume-rm`; the schema above describes each field. */
export type VolumeRmInput = Shape<typeof Input>;
