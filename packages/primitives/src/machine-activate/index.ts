import Type, { type Static } from "typebox";
import { inputParser, label } from "../change/input.ts";
import { lifecyclePrimitive } from "../membership/lifecycle.ts";

const Input = Type.Object({ machine: label("The machine.") });
export type MachineActivateInput = Static<typeof Input>;

/** The machine takes new instances again. Nothing is moved to it by that. */
export const machineActivate = lifecyclePrimitive<MachineActivateInput>({
  name: "machine-activate",
  parse: inputParser(Input),
  to: "active",
});
