import type { PlannedStep } from "../../engine/types.ts";
import type { Decision } from "../decide/decision.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";

type Step = PlannedStep<ChangeKinds>;

/**
 * Standbys that the next commit does not have: their copies are retired ones then, and the volume keeps no snapshots for them. One whose machine
 * does not answer finds out when it is back. Pure.
 */
export function standdownSteps(
  { namespace, volumes }: Pick<Decision, "namespace" | "volumes">,
  facts: ChangeFacts,
): readonly Step[] {
  const answering = new Set(
    facts.machines.flatMap(({ record, observation }) => (observation === undefined ? [] : [record.id])),
  );
  return (facts.head?.commit.volumes ?? []).flatMap(({ name, machine: home, spec }): readonly Step[] => {
    const then = volumes.find((one) => one.name === name);
    const next = then?.spec.standby?.machines ?? [];
    const gone = (spec.standby?.machines ?? []).filter((one) => !next.includes(one));
    if (gone.length === 0) return [];
    const copies = gone
      .filter((machine) => machine !== (then?.machine ?? home))
      .map((machine) => ({ machine, args: {}, what: "standby" }));
    const all = [
      ...copies,
      { machine: then?.machine ?? home, args: { forget: gone }, what: "snapshots for standbys" },
    ];
    return all
      .filter(({ machine }) => answering.has(machine))
      .map(({ machine, args, what }) => ({
        id: `standdown ${name}@${machine}`,
        kind: "volume.standdown",
        args: { machine, namespace, name, ...args },
        machine,
        title: `give up the ${what} of volume ${name} on ${machine}`,
        needs: [],
      }));
  });
}
