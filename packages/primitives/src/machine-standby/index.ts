import { inputParser } from "../change/input.ts";
import { lifecyclePrimitive } from "../membership/lifecycle.ts";
import { committedOn } from "../membership/observe.ts";
import { Input, type MachineStandbyInput } from "./input.ts";

/** A member that has no workloads and receives none until it is activated. */
export const machineStandby = lifecyclePrimitive<MachineStandbyInput>({
  name: "machine-standby",
  parse: inputParser(Input),
  to: "standby",
  follows({ machine }, { heads }) {
    const here = committedOn(heads, machine);
    if (here.length === 0) return { settle: [], summary: {}, warnings: [] };
    const occupied = {
      code: "machine_not_empty",
      message: `on ${machine} there ${here.length === 1 ? "is" : "are"} ${here.join(", ")}`,
      hint: `ployzctl machine drain ${machine} --migrate`,
      machine,
    };
    return { refusals: [occupied] };
  },
});
