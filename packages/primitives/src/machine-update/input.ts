import Type, { type Static } from "typebox";
import { label } from "../change/input.ts";

export const Input = Type.Object({
  machine: label("The machine that gets the version of the one that is asked."),
});

export type MachineUpdateInput = Static<typeof Input>;
