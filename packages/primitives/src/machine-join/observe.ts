import { type MemberFacts, type MemberPorts, observeMembers } from "../machine-add/observe.ts";
import type { Invite } from "../model/invite.ts";
import type { Joiner } from "../ports/joiner.ts";
import type { MachineJoinInput } from "./input.ts";

/** Ports of `machine-join`: the machine that waits too. */
export interface MachineJoinPorts extends MemberPorts {
  readonly joiner: Joiner;
  /** Milliseconds since the epoch: invites expire. */
  now(): number | Promise<number>;
}

export interface MachineJoinFacts extends MemberFacts {
  readonly invite: Invite | undefined;
  readonly now: number;
}

export async function observe(
  input: MachineJoinInput,
  ports: MachineJoinPorts,
  signal: AbortSignal,
): Promise<MachineJoinFacts> {
  const [members, invite, now] = await Promise.all([
    observeMembers(ports, signal),
    ports.store.facts.get(`invite.${input.invite}`),
    ports.now(),
  ]);
  return { ...members, invite: invite?.value, now };
}
