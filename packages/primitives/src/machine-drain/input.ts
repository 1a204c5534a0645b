import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  machine: label("The machine."),
  migrate: Type.Optional(Type.Boolean({ description: "Moves its workloads and volumes to other machines." })),
});
/** Input of the primitive `machine-drain`; the schema above describes each field. */
export type MachineDrainInput = Shape<typeof Input>;
