import type { Refusals } from "../engine/types.ts";
import { didYouMean } from "../model/did-you-mean.ts";
import { isMember } from "../model/machine.ts";
import type { MembershipFacts } from "./observe.ts";

/** The scopes that a change of a machine's place leases. */
export const machineScope = ({ machine }: { readonly machine: string }): readonly string[] => [
  `machine.${machine}`,
];

/** The member of this name, or why there is none. */
export function memberOf(
  id: string,
  { machine, cluster }: MembershipFacts,
): NonNullable<MembershipFacts["machine"]> | Refusals {
  if (machine !== undefined && isMember(machine.record)) return machine;
  if (machine?.record.state === "joining") {
    const { operation } = machine.record;
    const joining = {
      code: "machine_joining",
      message: `operation ${operation} is adding ${id}, or was interrupted at it`,
      hint: `ployzctl ops show ${operation}; ployzctl ops abort ${operation} takes it back`,
      operationId: operation,
    };
    return { refusals: [joining] };
  }
  const known = cluster.machines.map(({ record }) => record.id);
  const near = didYouMean(id, known);
  const unknown = {
    code: "machine_unknown",
    message: `there is no machine ${id}`,
    hint: near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`,
  };
  return { refusals: [unknown] };
}
