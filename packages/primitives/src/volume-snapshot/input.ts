import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume."),
  name: Type.Optional(
    label(
      "Name of the snapshot. One with a name stays until it is removed; one without goes with the retention.",
    ),
  ),
});
/** Input of the primitive `volume-snapshot`; the schema above describes each field. */
export type VolumeSnapshotInput = Shape<typeof Input>;
