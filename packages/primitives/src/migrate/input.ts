import Type from "typebox";
import { bytes, label, volumeName } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace of the service."),
  service: label("The service that moves, with its volumes and what else uses them."),
  to: label("The machine that it moves to."),
  maxRounds: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 20, description: "Rounds of copying while it runs. Default 5." }),
  ),
  maxDowntimeMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      description: "Refuses to stop the service when the last difference would take longer.",
    }),
  ),
  fromStandby: Type.Optional(
    Type.Literal(true, {
      description: "The machine of its volumes does not answer: their standbys on `to` become the volumes.",
    }),
  ),
  acceptLoss: Type.Optional(
    Type.Array(
      volumeName("With `fromStandby`: a volume, namespace/name, whose loss of later writes is confirmed."),
      {
        maxItems: 1000,
      },
    ),
  ),
  bytesPerSecond: Type.Optional(bytes("Limit of the transfer while the service runs.")),
});
/** Input of the primitive `migrate`; the schema above describes each field. */
export type MigrateInput = Shape<typeof Input>;
