import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume that goes back."),
  snapshot: Type.String({
    pattern: "^(?=.{1,100}$)[a-z0-9][a-z0-9-]*$",
    description: "Name of the snapshot, as `volume snapshots` lists it.",
  }),
});
/** Input of the primitive `volume-restore`; the schema above describes each field. */
export type VolumeRestoreInput = Shape<typeof Input>;
