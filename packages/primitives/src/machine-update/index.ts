import { inputParser } from "../change/input.ts";
import type { Primitive } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { Input, type MachineUpdateInput } from "./input.ts";
import { type MachineUpdateFacts, type MachineUpdatePorts, observe } from "./observe.ts";
import { type MachineUpdateKinds, plan } from "./plan.ts";
import { steps } from "./steps.ts";

/**
 * Gives another machine the Ployz that is installed where the operation runs: sent, unpacked beside the old one, its daemon and
 * followers replaced, and what ran there seen to run on. Workloads, tunnels, HAProxy and nats-server are not touched. The commit writes
 * the version into the machine's record; until then a failure switches back. The coordinating machine cannot be the one that
 * changes, since its daemon runs the operation.
 */
export const machineUpdate: Primitive<
  MachineUpdatePorts,
  MachineUpdateInput,
  MachineUpdateFacts,
  MachineUpdateKinds,
  Json
> = {
  name: "machine-update",
  version: 1,
  parse: inputParser(Input),
  scope: ({ machine }) => [`machine.${machine}`],
  observe,
  plan,
  steps,
  commit({ machine }, { member }, { summary }) {
    if (member === undefined) throw new Error("commit() after a refusal");
    const { version } = (summary as { readonly to: { readonly version: string } }).to;
    return {
      kind: "fact",
      key: `machine.${machine}`,
      value: { ...member.record, version },
      expected: member.revision,
    };
  },
  result: (_input, { summary }) => summary,
};
