import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

/** How long a run may last by default. */
export const DEFAULT_LIMIT_MS = 3_600_000;

export const Input = Type.Object({
  namespace: label("The namespace of both services."),
  service: label("The service whose image or bundle, environment, secrets, user and limits the run has."),
  volumesOf: label("The service whose volumes it has, where that service has them."),
  argv: Type.Optional(
    Type.Array(Type.String({ maxLength: 131_072, pattern: "^[^\\u0000]*$" }), {
      ...{ minItems: 1, maxItems: 10_000 },
      description: "The program and its arguments. Default: the service's own.",
    }),
  ),
  stop: Type.Optional(
    Type.Boolean({
      description: "The service that has the volumes stands still meanwhile, and is started again.",
    }),
  ),
  interactive: Type.Optional(
    Type.Boolean({
      description: "A stream runs the program: its instance waits for one, and ends with it.",
    }),
  ),
  limitMs: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 86_400_000 },
      description: "Milliseconds after which the run is ended. Default: one hour.",
    }),
  ),
});
/** Input of the primitive `volume-run`; the schema above describes each field. */
export type VolumeRunInput = Shape<typeof Input>;
