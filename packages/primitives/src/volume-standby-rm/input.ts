import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume."),
  machine: Type.Optional(label("The machine that keeps no copy any more; without it, none does.")),
});
/** Input of the primitive `volume-standby-rm`; the schema above describes each field. */
export type VolumeStandbyRmInput = Shape<typeof Input>;
