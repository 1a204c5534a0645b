import type { Refusal } from "../engine/types.ts";
import { stillAnswers } from "../evacuate/wish.ts";
import { planEvacuations } from "../membership/evacuations.ts";
import { noMember } from "../membership/input.ts";
import type { MembershipFacts } from "../membership/observe.ts";
import type { MachineRmInput } from "./input.ts";

/** It was removed, or its removal is committed: there is nothing left to do. */
export const isGone = ({ machine, removed }: MembershipFacts): boolean =>
  machine === undefined ? removed !== undefined : machine.record.state === "removed";

export function refuse(input: MachineRmInput, facts: MembershipFacts): readonly Refusal[] {
  const { machine: id, force, storeMoves } = input;
  if (isGone(facts)) return [];
  const unknown = noMember(id, facts);
  if (unknown.length > 0 || facts.machine === undefined) return unknown;
  const { machines } = facts.cluster;
  if (machines.every(({ record }) => record.id === id)) {
    return [
      {
        code: "last_machine",
        message: `${id} is the last machine of the cluster`,
        hint: "ployzctl mesh destroy ends the cluster",
      },
    ];
  }
  if (facts.machine.record.store && storeMoves === undefined) return [holdsTheStore(id)];
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
  return planEvacuations(id, lossOf(input), facts, "").flatMap(({ refusals }) => refusals);
}

export const lossOf = ({ force, lose = [] }: MachineRmInput) => (force ? { lose } : undefined);

/** What runs the removal moves the store off it first, when another machine can take it. */
const holdsTheStore = (machine: string): Refusal => ({
  code: "holds_the_store",
  message: `machine ${machine} holds the store, and no other machine answers that could take it`,
  hint: "bring another machine back, or add one; of a store that is lost with its machines: ployzctl store recover",
  machine,
});
