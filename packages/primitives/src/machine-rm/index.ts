import { inputParser } from "../change/input.ts";
import type { Primitive } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import { machineScope } from "../membership/input.ts";
import { type MembershipFacts, type MembershipPorts, observeMembership } from "../membership/observe.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord } from "../model/machine.ts";
import { Input, type MachineRmInput } from "./input.ts";
import { plan } from "./plan.ts";
import { type MachineRmKinds, steps } from "./steps.ts";

/**
 * A machine goes: what runs there moves to others with its data, its membership ends with one commit, it cleans itself, and its keys
 * are revoked everywhere. With `force`, a machine that is lost: data that was only there is lost, and every such volume is named.
 */
export const machineRm: Primitive<MembershipPorts, MachineRmInput, MembershipFacts, MachineRmKinds, Json> = {
  name: "machine-rm",
  version: 1,
  parse(input) {
    const parsed = inputParser(Input)(input);
    if (!parsed.ok || parsed.input.force || parsed.input.lose === undefined) return parsed;
    const message = "lose: nothing is lost of a machine that is removed without force";
    return { ok: false, refusals: [{ code: "invalid_input", message, hint: "leave --lose out" }] };
  },
  scope: machineScope,
  observe: ({ machine }, ports, signal) => observeMembership(machine, ports, signal),
  plan,
  steps,
  /** The record says it from here on, and no one who follows takes it for a member; it is deleted once the machine has left. */
  commit({ machine }, _facts, _plan, { operation, output }) {
    const { revision, record } = output("drain", "drain");
    return {
      kind: "fact",
      key: `machine.${machine}`,
      value: { ...record, state: "removed", operation } satisfies MachineRecord,
      expected: revision,
    };
  },
  result(_input, { summary, prepare, settle, warnings: foreseen }, { output }) {
    const left = settle.find(({ kind }) => kind === "leave");
    const told = left && output(left.id, "leave");
    const met = [...prepare, ...settle].flatMap(({ id }) => warningsOf(output(id)));
    return {
      ...summary,
      ...{ cleaned: told?.left ?? false, kept: told?.kept ?? [] },
      warnings: [...foreseen, ...met],
    };
  },
};
