import Type from "typebox";
import { byName, label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

/** Of `restart`, `stop` and `start`. */
export const ServicesInput = Type.Object({
  namespace: label("The namespace of the services."),
  services: Type.Array(label("A service."), { minItems: 1, maxItems: 1000, uniqueItems: true }),
});
export type ServicesInput = Shape<typeof ServicesInput>;

/** Whether gateways answer for the services themselves. */
export const MaintenanceInput = Type.Object({
  namespace: label("The namespace of the services."),
  services: Type.Optional(
    Type.Array(label("A service."), {
      minItems: 1,
      maxItems: 1000,
      uniqueItems: true,
      description: "All with HTTP routes when left out.",
    }),
  ),
  on: Type.Boolean({ description: "Begins or ends." }),
});
/** Input of the primitive `maintenance`; the schema above describes each field. */
export type MaintenanceInput = Shape<typeof MaintenanceInput>;

/** How many instances of a service run. */
export const ScaleInput = Type.Object({
  namespace: label("The namespace of the services."),
  replicas: byName(Type.Integer({ minimum: 1, maximum: 1000 }), "The number of instances, by service."),
});
/** Input of the primitive `scale`; the schema above describes each field. */
export type ScaleInput = Shape<typeof ScaleInput>;
