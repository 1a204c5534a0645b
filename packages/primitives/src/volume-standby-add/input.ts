import Type from "typebox";
import { label } from "../model/fields.ts";
import { LIMITS } from "../model/limits.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume."),
  machine: label("The machine that keeps a copy."),
  everyMs: Type.Optional(
    Type.Integer({
      minimum: 1000,
      maximum: LIMITS.duration,
      description: "How often changes are sent, in milliseconds; of all its standbys. Default a minute.",
    }),
  ),
});
/** Input of the primitive `volume-standby-add`; the schema above describes each field. */
export type VolumeStandbyAddInput = Shape<typeof Input>;
