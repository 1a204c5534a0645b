import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({ machine: label("The machine.") });
/** Input of the primitive `machine-standby`; the schema above describes each field. */
export type MachineStandbyInput = Shape<typeof Input>;
