import Type from "typebox";
import { bytes, label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("Its namespace."),
  volume: label("The volume."),
  machine: label("The machine of the standby."),
  bytesPerSecond: Type.Optional(bytes("Limit of the transfer.")),
  tick: Type.Optional(
    Type.String({
      pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$",
      description: "RFC 3339: the time of its schedule that it runs for.",
    }),
  ),
});
/** Input of the primitive `volume-standby-sync`; the schema above describes each field. */
export type VolumeStandbySyncInput = Shape<typeof Input>;
