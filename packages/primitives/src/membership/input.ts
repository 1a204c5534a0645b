import type { Refusal } from "../engine/types.ts";
import { didYouMean } from "../model/did-you-mean.ts";
import { isMember } from "../model/machine.ts";
import type { MembershipFacts } from "./observe.ts";

/** What is leased by a change of a machine's place. */
export const machineScope = ({ machine }: { readonly machine: string }): readonly string[] => [
  `machine.${machine}`,
];

/** Why there is no member of this name to do something to. */
export function noMember(id: string, { machine, cluster }: MembershipFacts): readonly Refusal[] {
  if (machine !== undefined && isMember(machine.record)) return [];
  if (machine?.record.state === "joining") {
    const { operation } = machine.record;
    return [
      {
        code: "machine_joining",
        message: `operation ${operation} is adding ${id}, or was interrupted at it`,
        hint: `ployzctl ops show ${operation}; ployzctl ops abort ${operation} takes it back`,
        operationId: operation,
      },
    ];
  }
  const known = cluster.machines.map(({ record }) => record.id);
  const near = didYouMean(id, known);
  return [
    {
      code: "machine_unknown",
      message: `there is no machine ${id}`,
      hint: near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`,
    },
  ];
}
