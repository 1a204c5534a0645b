import { sameJson } from "../engine/canonical.ts";
import type { Basis, Plan, PlannedStep } from "../engine/types.ts";
import { instanceRevision } from "../manifest/revision.ts";
import type { CommittedRoute, Instance } from "../model/commit.ts";
import { instanceId } from "../model/ids.ts";
import { type Decision, decide, liveness } from "./decide.ts";
import { createGates } from "./gates.ts";
import type { DeployInput } from "./input.ts";
import type { DeployFacts } from "./observe.ts";
import { type Candidate, ensureSteps, prepareSteps } from "./prepare.ts";
import type { DeployKinds } from "./steps.ts";
import { type NextState, summarise } from "./summary.ts";

type Step = PlannedStep<DeployKinds>;

/**
 * From the decision to steps. Prepare: images and bundles everywhere first, then, in the order of `after`, each candidate is reserved,
 * started and waited for. The commit flips all of them together. Settle: gateways and DNS follow, then the old instances drain.
 * Pure, and deterministic in its arguments; the summary holds the next state, so the commit needs nothing else.
 */
export function plan(input: DeployInput, facts: DeployFacts, operation: string): Plan<DeployKinds> {
  const decision = decide(input, facts);
  const candidates = candidatesOf(decision, operation);
  const ensure = ensureSteps(candidates, facts);
  const world = liveness(facts);
  const prepare = [
    ...ensure,
    ...prepareSteps(decision, candidates, ensure, (old) => world.state(old) === "alive"),
  ];
  const next = nextState(decision, candidates, facts);
  const planned = new Set(candidates.map(({ id }) => id));
  const strays = decision.strays.filter(({ id }) => !planned.has(id));
  const changes = prepare.length > 0 || strays.length > 0 || differs(next, facts);
  return {
    basis: basisOf(decision, candidates, facts),
    prepare,
    settle: changes ? settleSteps(decision, candidates, strays, facts) : [],
    summary: summarise(decision, candidates, next, facts),
    changes,
    warnings: [...decision.warnings, ...unreachable(facts)],
  };
}

function candidatesOf(decision: Decision, operation: string): readonly Candidate[] {
  const { namespace } = decision;
  const services = decision.services.flatMap(({ name, next, start }) =>
    start.flatMap(({ slot, machine, replaces }): Candidate[] =>
      next === undefined
        ? []
        : [
            {
              kind: "service",
              id: instanceId(namespace, name, slot, operation),
              name,
              slot,
              machine,
              spec: next.spec,
              revision: instanceRevision(next.spec),
              operation,
              ...(replaces && { replaces }),
            },
          ],
    ),
  );
  const jobs = decision.jobs.flatMap(({ name, next, run }): Candidate[] =>
    run === undefined
      ? []
      : [
          {
            kind: "job",
            id: instanceId(namespace, name, 1, operation),
            name,
            slot: 1,
            machine: run.machine,
            spec: next.spec,
            revision: instanceRevision(next.spec),
            operation,
          },
        ],
  );
  return [...services, ...jobs];
}

/** What the commit will hold, but for the addresses that machines are still to give. */
function nextState(decision: Decision, candidates: readonly Candidate[], facts: DeployFacts): NextState {
  const services = decision.services.flatMap(({ name, next }) => (next ? [{ name, next }] : []));
  return {
    services: Object.fromEntries(services.map(({ name, next }) => [name, next])),
    jobs: Object.fromEntries(decision.jobs.map(({ name, next }) => [name, next])),
    keep: decision.services.flatMap(({ keep }) => keep),
    start: candidates.flatMap((candidate) =>
      candidate.kind === "job"
        ? []
        : [
            {
              id: candidate.id,
              service: candidate.name,
              slot: candidate.slot,
              machine: candidate.machine,
              ports: candidate.spec.ports,
              revision: candidate.revision,
              reserve: `reserve ${candidate.name}.${candidate.slot}@${candidate.machine}`,
            },
          ],
    ),
    volumes: facts.head?.commit.volumes ?? [],
    routes: services.flatMap(({ name, next }) =>
      next.spec.routes.map((route): CommittedRoute => ({ ...route, service: name })),
    ),
  };
}

function differs(next: NextState, facts: DeployFacts): boolean {
  const head = facts.head?.commit;
  if (head === undefined) return true;
  const ids = (instances: readonly { readonly id: string }[]) => instances.map(({ id }) => id).sort();
  return !(
    sameJson(next.services, head.services) &&
    sameJson(next.jobs, head.jobs) &&
    sameJson(next.routes, head.routes) &&
    sameJson(ids([...next.keep, ...next.start]), ids(head.instances))
  );
}

/** The namespace's last commit, and the membership of every machine that gets something new. */
function basisOf(decision: Decision, candidates: readonly Candidate[], facts: DeployFacts): readonly Basis[] {
  const targets = new Set(candidates.map(({ machine }) => machine));
  return [
    { key: `commit.${decision.namespace}`, revision: facts.head?.revision ?? 0 },
    ...facts.machines
      .filter(({ record }) => targets.has(record.id))
      .map(({ record, revision }) => ({ key: `fact.machine.${record.id}`, revision })),
  ];
}

function settleSteps(
  decision: Decision,
  candidates: readonly Candidate[],
  strays: Decision["strays"],
  facts: DeployFacts,
): readonly Step[] {
  const world = liveness(facts);
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
  const stopped = new Set(
    candidates.flatMap(({ kind, spec, replaces }) =>
      kind === "service" && spec.update === "stop-first" && replaces ? [replaces.id] : [],
    ),
  );
  const retire = decision.services.flatMap(({ next, previous, retire: going }) => {
    const spec = next?.spec ?? previous?.spec;
    return going.flatMap((old): Step[] => {
      const state = world.state(old);
      if (state === "gone" || state === "unknown") return [];
      if (state === "dead" || stopped.has(old.id)) return [removeStep(old, published, "remove")];
      return [retireStep(old, spec?.drainMs ?? 0, spec?.stopGraceMs ?? 0, published)];
    });
  });
  const jobs = candidates
    .filter(({ kind }) => kind === "job")
    .map((job) => removeStep(job, [], "remove job"));
  const leftovers = strays.map((stray) => removeStep(stray, [], `remove what ${stray.operation} left:`));
  return [...publish, ...gates.steps(), ...retire, ...jobs, ...leftovers];
}

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

function unreachable(facts: DeployFacts): readonly string[] {
  return facts.machines.flatMap(({ record, error }) =>
    error === undefined
      ? []
      : [
          `machine ${record.id} does not answer (${error.message}); its gateway serves the last state it knows until it is back`,
        ],
  );
}
