import type { Refusal } from "../engine/types.ts";
import { stillAnswers } from "../evacuate/wish.ts";
import type { MembershipFacts } from "../membership/observe.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { MachineRmInput } from "./input.ts";

/** It was removed, or its removal is committed: there is nothing left to do. */
export const isGone = ({ machine, removed }: MembershipFacts): boolean =>
  machine === undefined ? removed !== undefined : machine.record.state === "removed";

/** Reasons not to remove this member; what would become of its namespaces is not among them. */
export function refuse(
  { machine: id, force, storeMoves }: MachineRmInput,
  record: MachineRecord,
  { machines }: MembershipFacts["cluster"],
): readonly Refusal[] {
  if (machines.every(({ record }) => record.id === id)) {
    return [
      {
        code: "last_machine",
        message: `${id} is the last machine of the cluster`,
        hint: "ployzctl mesh destroy ends the cluster",
      },
    ];
  }
  if (record.store && storeMoves === undefined) return [holdsTheStore(id)];
  const fact = machines.find(({ record }) => record.id === id);
  const answers = fact?.observation !== undefined;
  if (force && answers) return [stillAnswers(id)];
  if (!force && !answers) {
    return [
      {
        code: "machine_unreachable",
        message: `machine ${id} does not answer: ${fact?.error?.message ?? "unreachable"}`,
        hint: `start its daemon; if it is gone for ever: ployzctl machine rm ${id} --force`,
        machine: id,
      },
    ];
  }
  return [];
}

/** What runs the removal moves the store off it first, when another machine can take it. */
const holdsTheStore = (machine: string): Refusal => ({
  code: "holds_the_store",
  message: `machine ${machine} holds the store, and no other machine answers that could take it`,
  hint: "bring another machine back, or add one; of a store that is lost with its machines: ployzctl store recover",
  machine,
});
