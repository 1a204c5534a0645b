import { inputParser } from "../change/input.ts";
import { lifecyclePrimitive } from "../membership/lifecycle.ts";
import { Input, type MachineActivateInput } from "./input.ts";

/** The machine takes new instances again. Nothing is moved to it by that. */
export const machineActivate = lifecyclePrimitive<MachineActivateInput>({
  name: "machine-activate",
  parse: inputParser(Input),
  to: "active",
});
