import Type from "typebox";
import { label } from "../model/fields.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  machine: label("The machine that gets the version of the one that is asked."),
});

export type MachineUpdateInput = Shape<typeof Input>;
