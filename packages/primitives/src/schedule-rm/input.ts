import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({ name: label("The schedule of the cluster.") });
/** Input of the primitive `schedule-rm`; the schema above describes each field. */
export type ScheduleRmInput = Shape<typeof Input>;
