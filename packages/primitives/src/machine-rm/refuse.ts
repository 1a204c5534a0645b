import type { Refusal } from "../engine/types.ts";
import { stillAnswers } from "../evacuate/wish.ts";
import { planEvacuations } from "../membership/evacuations.ts";
import { noMember } from "../membership/input.ts";
import type { MembershipFacts } from "../membership/observe.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { MachineRmInput } from "./index.ts";

/** It was removed, or its removal is committed: there is nothing left to do. */
export const isGone = ({ machine, removed }: MembershipFacts): boolean =>
  machine === undefined ? removed !== undefined : machine.record.state === "removed";

export function refuse(input: MachineRmInput, facts: MembershipFacts): readonly Refusal[] {
  const { machine: id, force } = input;
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
  const store = holdsTheStore(facts.machine.record);
  if (store !== undefined) return [store];
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

/** A machine that holds the store gives it away first. Where re-founding the store on others becomes part of the plan, this goes. */
function holdsTheStore({ id, store }: MachineRecord): Refusal | undefined {
  if (!store) return undefined;
  return {
    code: "holds_the_store",
    message: `machine ${id} holds the store`,
    hint: "move the store to another machine first: ployzctl machine storage promote",
    machine: id,
  };
}
