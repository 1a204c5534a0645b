import type { PlannedStep } from "../../engine/types.ts";
import type { Instance } from "../../model/commit.ts";
import type { Decision } from "../decide/decision.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import type { Prepared } from "./before-commit.ts";
import type { Candidate } from "./candidate.ts";
import { withdrawStep } from "./candidates.ts";
import { createGates } from "./gates.ts";
import { inOrder } from "./order.ts";
import { standdownSteps } from "./standbys.ts";
import { usesAny } from "./volumes.ts";

type Step = PlannedStep<ChangeKinds>;

/** Forward only, after the commit. */
export function settleSteps({
  decision,
  candidates,
  strays,
  facts,
  prepared,
}: {
  readonly decision: Decision;
  readonly candidates: readonly Candidate[];
  readonly strays: Decision["strays"];
  readonly facts: ChangeFacts;
  readonly prepared: Prepared;
}): readonly Step[] {
  const publish = facts.machines
    .filter(({ observation }) => observation !== undefined)
    .map(
      ({ record: { id: machine } }): Step => ({
        id: `publish@${machine}`,
        kind: "publish",
        args: { machine, namespace: decision.namespace, after: facts.head?.revision ?? 0 },
        machine,
        title: `publish on ${machine}`,
        needs: [],
      }),
    );
  const gates = createGates("published");
  const published = gates.all(publish.map(({ id }) => id));
  const retire = decision.services.flatMap(({ next, previous, retire: going }) => {
    const spec = next?.spec ?? previous?.spec;
    return going.flatMap((old): Step[] => {
      const state = decision.state(old);
      if (state === "gone" || state === "unknown") return [];
      if (state === "dead" || prepared.stopped.has(old.id)) return [removeStep(old, published, "remove")];
      return [retireStep(old, spec?.drainMs ?? 0, spec?.stopGraceMs ?? 0, published)];
    });
  });
  const jobs = candidates
    .filter(({ kind }) => kind === "job")
    .map((job) => removeStep(job, [], "remove job"));
  const leftovers = strays.map((stray) => removeStep(stray, [], `remove leftover of ${stray.operation}:`));
  const volumes = retireVolumes(decision, facts, published, retire);
  const withdraw =
    candidates.length > 0 || facts.candidates > 0
      ? [withdrawStep(decision.namespace, facts.candidates, published)]
      : [];
  const prune = prunedMachines(decision, facts);
  const done = prune.length === 0 ? [] : gates.all([...retire, ...volumes].map(({ id }) => id));
  return [
    ...publish,
    ...inOrder([...gates.steps(), ...withdraw, ...retire, ...volumes], new Set(publish.map(({ id }) => id))),
    ...jobs,
    ...leftovers,
    ...standdownSteps(decision, facts),
    ...prune.map((machine) => pruneStep(machine, decision.namespace, done.length > 0 ? done : published)),
  ];
}

/** Retires replaced copies once their instances are gone. Their data is kept until the retention deletes it. */
function retireVolumes(
  { volumes, dropped, services }: Decision,
  facts: ChangeFacts,
  published: readonly string[],
  retired: readonly Step[],
): readonly Step[] {
  const gone = [
    ...volumes.flatMap((volume) =>
      (volume.action === "copy" || volume.action === "move") && volume.previous ? [volume.previous] : [],
    ),
    ...dropped,
  ];
  const going = services.flatMap(({ retire }) => retire);
  const removed = new Set(retired.map(({ id }) => id));
  const retire = gone
    .filter(({ machine }) => answers(facts, machine))
    .map(({ id, machine, name }): Step => {
      const users = going.filter((old) => usesAny(old, new Set([id])));
      const after = users.flatMap((old) => [`retire ${old.id}`, `remove ${old.id}`]);
      return {
        id: `retire volume ${id}@${machine}`,
        kind: "volume.retire",
        args: { machine, id },
        machine,
        title: `keep the old copy of volume ${name} on ${machine}`,
        needs: [...published, ...after.filter((step) => removed.has(step))],
      };
    });
  const tidy = volumes.flatMap((volume): readonly Step[] => {
    if (volume.action !== "move" || volume.previous === undefined) return [];
    const { id, machine: from } = volume.previous;
    return [from, volume.machine].map((machine) => ({
      id: `tidy ${id}@${machine}`,
      kind: "volume.tidy",
      args: { machine, id, rounds: volume.limits.maxRounds },
      machine,
      title: `delete the transfer snapshots of volume ${volume.name} on ${machine}`,
      needs: [],
    }));
  });
  return [...retire, ...tidy];
}

function prunedMachines({ volumes, dropped }: Decision, facts: ChangeFacts): readonly string[] {
  const machines = [
    ...volumes.flatMap(({ machine, previous }) => [machine, previous?.machine ?? machine]),
    ...dropped.map(({ machine }) => machine),
  ];
  return [...new Set(machines)].filter((machine) => answers(facts, machine)).sort();
}

const pruneStep = (machine: string, namespace: string, needs: readonly string[]): Step => ({
  id: `prune@${machine}`,
  kind: "volume.prune",
  args: { machine, namespace },
  machine,
  title: `delete expired snapshots on ${machine}`,
  needs,
});

const answers = (facts: ChangeFacts, machine: string): boolean =>
  facts.machines.some(({ record, observation }) => record.id === machine && observation !== undefined);

function retireStep(old: Instance, drainMs: number, graceMs: number, needs: readonly string[]): Step {
  const { id, machine } = old;
  return {
    id: `retire ${id}`,
    kind: "retire",
    args: { machine, id, drainMs, graceMs },
    machine,
    title: `drain and remove ${id} on ${machine}`,
    needs,
  };
}

function removeStep(
  { id, machine }: { readonly id: string; readonly machine: string },
  needs: readonly string[],
  what: string,
): Step {
  return {
    id: `remove ${id}`,
    kind: "remove",
    args: { machine, id },
    machine,
    title: `${what} ${id} on ${machine}`,
    needs,
  };
}
