import { isDeepStrictEqual } from "node:util";
import type { CommitPoint, Plan, Primitive, PrimitivePorts, Refusals } from "../engine/types.ts";
import { warningsOf } from "../engine/warnings.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord } from "../model/machine.ts";
import { machineScope, memberOf } from "./input.ts";
import { committedOn, type MembershipFacts, type MembershipPorts, observeMembership } from "./observe.ts";
import { type SharedKinds, sharedSteps } from "./steps.ts";

/** A change of a machine's record. */
export interface RecordChange<Ports extends PrimitivePorts, In extends { readonly machine: string } & Json>
  extends Pick<Primitive<Ports, In, MembershipFacts, SharedKinds, Json>, "name" | "parse"> {
  /** The record as it shall be. */
  next(record: MachineRecord, input: In): MachineRecord;
  /** The steps after the commit beside the machine's own, or why not. */
  follows?(
    input: In,
    facts: MembershipFacts,
    operation: string,
  ): Pick<Plan<SharedKinds>, "settle" | "warnings" | "summary"> | Refusals;
}

/** A change of a machine's state between active, draining and standby. */
export const lifecyclePrimitive = <In extends { readonly machine: string } & Json>({
  to,
  ...lifecycle
}: Omit<RecordChange<MembershipPorts, In>, "next"> & { readonly to: "active" | "draining" | "standby" }) =>
  recordPrimitive<In>({ ...lifecycle, next: (record) => ({ ...record, state: to }) });

/** The commit is the machine's record. The machine follows it and refuses by itself what it must not take. */
export function recordPrimitive<In extends { readonly machine: string } & Json>({
  name,
  parse,
  next,
  follows = () => ({ settle: [], warnings: [], summary: {} }),
}: RecordChange<MembershipPorts, In>): Primitive<MembershipPorts, In, MembershipFacts, SharedKinds, Json> {
  return {
    name,
    version: 1,
    parse,
    scope: machineScope,
    observe: ({ machine }, ports, signal) => observeMembership(machine, ports, signal),
    plan(input, facts, operation) {
      const { machine: id } = input;
      const member = memberOf(id, facts);
      if ("refusals" in member) return member;
      const { record, revision } = member;
      const following = follows(input, facts, operation);
      if ("refusals" in following) return following;
      const { settle, warnings, summary } = following;
      const changed = next(record, input);
      const changes = !isDeepStrictEqual(record, changed) || settle.length > 0;
      const follow = {
        id: `follow@${id}`,
        kind: "membership.follow" as const,
        args: { machine: id, of: id },
        machine: id,
        title: `${id} follows`,
        needs: [],
      };
      return {
        basis: [{ key: `fact.machine.${id}`, revision }],
        prepare: [],
        settle: changes ? [follow, ...settle] : [],
        changes,
        warnings,
        summary: {
          kind: name,
          machine: id,
          from: record.state,
          to: changed.state,
          here: committedOn(facts.heads, id),
          ...summary,
        },
      };
    },
    steps: sharedSteps,
    commit(input, { machine }, { basis }): CommitPoint {
      const { machine: id } = input;
      if (machine === undefined) throw new Error(`the plan was made for a machine ${id}`);
      const value = next(machine.record, input);
      return { kind: "fact", key: `machine.${id}`, value, expected: basis[0]?.revision ?? 0 };
    },
    result: (_input, { summary, settle, warnings: foreseen }, { output }) => ({
      ...summary,
      warnings: [...foreseen, ...settle.flatMap(({ id }) => warningsOf(output(id)))],
    }),
  };
}
