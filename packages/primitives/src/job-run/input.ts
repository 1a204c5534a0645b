import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  namespace: label("The namespace of the job."),
  job: label("The job."),
  tick: Type.Optional(
    Type.String({ maxLength: 40, description: "RFC 3339: the time of its schedule that it runs for." }),
  ),
});
/** Input of the primitive `job-run`; the schema above describes each field. */
export type JobRunInput = Shape<typeof Input>;
