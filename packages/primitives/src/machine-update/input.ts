import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  machine: label("The machine that gets this machine's version."),
});

/** Input of the primitive `machine-update`; the schema above describes each field. */
export type MachineUpdateInput = Shape<typeof Input>;
