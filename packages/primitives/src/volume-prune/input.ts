import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace whose old snapshots and retired copies go."),
});
/** Input of the primitive `volume-prune`; the schema above describes each field. */
export type VolumePruneInput = Shape<typeof Input>;
