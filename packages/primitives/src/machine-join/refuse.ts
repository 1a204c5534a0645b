import type { Refusal } from "../engine/types.ts";
import { labelOf, refuseCluster, refuseRoutes, refuseTaken } from "../machine-add/refuse.ts";
import { memberBy, refuseInvite } from "../model/invite.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { MachineJoinInput } from "./input.ts";
import type { MachineJoinFacts } from "./observe.ts";

/** The name that the machine gets: the invite's, else its host name. */
export const nameOf = ({ self }: MachineJoinInput, facts: MachineJoinFacts): string =>
  facts.invite?.name ?? labelOf(self.hostname, facts);

/** The record of the machine when it came in by this invite and its answer was lost: there is nothing to do. */
export function presentMember(
  { self }: MachineJoinInput,
  { invite, machines }: MachineJoinFacts,
): MachineRecord | undefined {
  const found =
    invite &&
    memberBy(
      invite,
      machines.map(({ record }) => record),
    );
  return found?.publicKey === self.publicKey ? found : undefined;
}

export function refuse(input: MachineJoinInput, facts: MachineJoinFacts): readonly Refusal[] {
  const { self } = input;
  const invalid = refuseInvite(facts.invite, { publicKey: self.publicKey, now: facts.now });
  if (invalid !== undefined) return [invalid];
  if (presentMember(input, facts) !== undefined) return [];
  const records = facts.machines.map(({ record }) => record);
  const name = nameOf(input, facts);
  const clone = records.find(({ publicKey, nkey }) => publicKey === self.publicKey || nkey === self.nkey);
  const taken = records.find(({ id }) => id === name);
  return [
    ...refuseCluster(name, facts),
    ...refuseRoutes(name, facts, self.routes),
    ...(clone === undefined ? [] : [refuseKeys(clone)]),
    ...(taken === undefined || taken === clone ? [] : [refuseTaken(name, taken)]),
  ];
}

/** Members have these keys: the machine itself, by another way, or one that its disk was copied from. */
const refuseKeys = ({ id }: MachineRecord): Refusal => ({
  code: "identity_taken",
  message: `machine ${id} has the keys of this machine: it is that one, or its disk is a copy of that one's`,
  hint: `if it is a copy, run there: ployzctl daemon uninstall, and remove its data folder; else: ployzctl machine show ${id}`,
});
