import type { CommitPoint, Plan, Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord } from "../model/machine.ts";
import { machineScope, noMember } from "./input.ts";
import { committedOn, type MembershipFacts, type MembershipPorts, observeMembership } from "./observe.ts";
import { type SharedKinds, sharedSteps } from "./steps.ts";

/** A change of a machine's state between active, draining and standby. */
export interface Lifecycle<Ports extends PrimitivePorts, In extends { readonly machine: string } & Json>
  extends Pick<Primitive<Ports, In, MembershipFacts, SharedKinds, Json>, "name" | "parse"> {
  readonly to: "active" | "draining" | "standby";
  refuse?(input: In, facts: MembershipFacts): readonly Refusal[];
  /** What follows the commit, beside that everybody concerned follows. */
  follows?(
    input: In,
    facts: MembershipFacts,
    operation: string,
  ): Pick<Plan<SharedKinds>, "settle" | "warnings"> & {
    readonly summary: { readonly [key: string]: Json };
  };
}

const recordIn = ({ machine }: MembershipFacts) => {
  if (machine === undefined) throw new Error("planned after a refusal");
  return machine;
};

/** The commit is the machine's record. The machine follows it and refuses by itself what it must not take. */
export function lifecyclePrimitive<In extends { readonly machine: string } & Json>({
  name,
  parse,
  to,
  ...more
}: Lifecycle<MembershipPorts, In>): Primitive<MembershipPorts, In, MembershipFacts, SharedKinds, Json> {
  return {
    name,
    version: 1,
    parse,
    scope: machineScope,
    observe: ({ machine }, ports, signal) => observeMembership(machine, ports, signal),
    refuse(input, facts) {
      const unknown = noMember(input.machine, facts);
      return unknown.length > 0 ? unknown : (more.refuse?.(input, facts) ?? []);
    },
    plan(input, facts, operation) {
      const { machine: id } = input;
      const { record, revision } = recordIn(facts);
      const follows = more.follows?.(input, facts, operation);
      const settle = follows?.settle ?? [];
      const changes = record.state !== to || settle.length > 0;
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
        warnings: follows?.warnings ?? [],
        summary: {
          kind: name,
          machine: id,
          from: record.state,
          to,
          here: committedOn(facts.heads, id),
          ...follows?.summary,
        },
      };
    },
    steps: sharedSteps,
    commit(_input, facts, { basis }): CommitPoint {
      const { record } = recordIn(facts);
      return {
        kind: "fact",
        key: `machine.${record.id}`,
        value: { ...record, state: to } satisfies MachineRecord,
        expected: basis[0]?.revision ?? 0,
      };
    },
    result: (_input, { summary, settle, warnings: foreseen }, { output }) => ({
      ...(summary as { readonly [key: string]: Json }),
      warnings: [...foreseen, ...settle.flatMap(({ id }) => warningsOf(id, output))],
    }),
  };
}

/** Of a step that was done: what it met. */
export function warningsOf(step: string, output: (step: string) => Json): readonly string[] {
  try {
    const { warning, warnings = [] } = output(step) as {
      readonly warning?: string;
      readonly warnings?: readonly string[];
    };
    return [...(warning === undefined ? [] : [warning]), ...warnings];
  } catch {
    return []; // still owed
  }
}
