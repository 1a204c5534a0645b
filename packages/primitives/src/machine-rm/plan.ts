import type { Plan, PlannedStep, Refusals } from "../engine/types.ts";
import { planEvacuations } from "../membership/evacuations.ts";
import { memberOf } from "../membership/input.ts";
import type { MembershipFacts } from "../membership/observe.ts";
import type { MachineRmInput } from "./input.ts";
import { isGone, refuse } from "./refuse.ts";
import type { MachineRmKinds } from "./steps.ts";

type Step = PlannedStep<MachineRmKinds>;

/**
 * It takes nothing new, its workloads and volumes move, and then it is no member any more. Each evacuation is an operation of its own and stays done
 * when a later step fails: the namespace runs as well elsewhere. After the commit the machine gets the order to leave while it still has its
 * tunnel; then every member removes the peer. By force it is the other way round: no namespace gives up its data before it is certain that
 * the machine is out for good.
 */
export function plan(
  input: MachineRmInput,
  facts: MembershipFacts,
  operation: string,
): Plan<MachineRmKinds> | Refusals {
  const { machine: id, force = false, lose = [], fromStandby = false, storeMoves } = input;
  if (isGone(facts)) {
    const summary = { kind: "machine-rm", machine: id, already: true };
    return { basis: [], prepare: [], settle: [], changes: false, warnings: [], summary };
  }
  const member = memberOf(id, facts);
  if ("refusals" in member) return member;
  const { record } = member;
  const refusals = refuse(input, record, facts.cluster);
  if (refusals.length > 0) return { refusals };
  const loss = force ? { lose, fromStandby } : undefined;
  const evacuations = planEvacuations(
    { machine: id, loss, after: [force ? "forget" : "drain"] },
    facts,
    operation,
  );
  if ("refusals" in evacuations) return evacuations;
  const { steps: moves, namespaces } = evacuations;
  const prepare: Step[] = [
    {
      id: "drain",
      kind: "drain",
      args: { machine: id, from: record.state, lost: force },
      title: `stop placing work on ${id}`,
      needs: [],
    },
  ];
  if (!force) {
    prepare.push(...moves, {
      id: "vacant",
      kind: "vacant",
      args: { machine: id },
      title: `nothing is committed on ${id}`,
      needs: [moves.at(-1)?.id ?? "drain"],
    });
  }
  const others = facts.cluster.machines.filter((fact) => fact.record.id !== id);
  const { index, publicKey, nkey } = record;
  const leave: Step[] = force
    ? []
    : [
        {
          id: `leave@${id}`,
          kind: "leave",
          args: { machine: id },
          title: `${id} leaves the mesh`,
          needs: [],
        },
      ];
  const settle: Step[] = [
    ...leave,
    {
      id: "forget",
      kind: "forget",
      args: { id, index, publicKey, nkey, forced: force },
      title: `revoke the keys of ${id}`,
      needs: leave.map((step) => step.id),
    },
    ...others
      .filter(({ observation }) => observation !== undefined)
      .map(
        ({ record: { id: machine } }): Step => ({
          id: `released@${machine}`,
          kind: "released",
          args: { machine, forget: "forget" },
          machine,
          title: `remove peer ${id} from ${machine}`,
          needs: ["forget"],
        }),
      ),
    ...(force ? moves : []),
  ];
  const away = others
    .filter(({ observation }) => observation === undefined)
    .map(
      ({ record: { id: machine } }) => `${machine} does not answer: it removes peer ${id} when it is back`,
    );
  return {
    // Not its own record, which the first step writes: the commit rests on what that wrote.
    basis: [],
    prepare,
    settle,
    changes: true,
    warnings: [...evacuations.warnings, ...away],
    summary: {
      kind: "machine-rm",
      machine: id,
      forced: force,
      ...(storeMoves && { store: storeMoves }),
      namespaces,
    },
  };
}
