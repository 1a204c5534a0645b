import type { PlannedStep } from "../../engine/types.ts";
import type { Instance, JobSpec, ServiceSpec } from "../../model/commit.ts";
import type { Decision } from "../decide/decision.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import { type Candidate, hasSecrets, labelOf, lastBefore, lastStep } from "./candidate.ts";
import { ANNOUNCE, announceStep, readyStepId, readySteps, verifyStep } from "./candidates.ts";
import { createGates } from "./gates.ts";
import { inOrder, orderOf } from "./order.ts";
import { isSmall, startArgs } from "./start.ts";
import { nextVolumeId, usesAny, type VolumeSteps, volumeSteps } from "./volumes.ts";

type Step = PlannedStep<ChangeKinds>;

/**
 * Ships images and bundles to every machine before anything starts anywhere: a missing image must not surface half way. An image that
 * only its registry has comes from there once; the other machines get it from the first.
 */
export function ensureSteps(candidates: readonly Candidate[], facts: ChangeFacts): readonly Step[] {
  const steps = new Map<string, Step>();
  const firstWith = new Map<string, { readonly id: string; readonly machine: string }>();
  for (const { machine, spec } of candidates) {
    const { image, bundle } = spec;
    const found = facts.content.get(image?.digest ?? bundle?.digest ?? "");
    const sources = (found?.holders ?? []).filter((holder) => holder !== machine);
    if (image !== undefined) {
      const id = `image ${image.ref}@${machine}`;
      const first = found?.registry === true ? firstWith.get(image.digest) : undefined;
      if (first === undefined) firstWith.set(image.digest, { id, machine });
      const peers = first === undefined || first.machine === machine ? sources : [first.machine, ...sources];
      const holders = found?.registry === true ? [firstWith.get(image.digest)?.machine] : found?.holders;
      const together = machinesOf(image.digest, candidates).filter((id) => holders?.includes(id) !== true);
      steps.set(id, {
        id,
        kind: "image.ensure",
        args: {
          ...{ machine, ref: image.ref, digest: image.digest, sources: [...new Set(peers)] },
          ...(found?.at !== undefined && { at: found.at }),
          ...(together.length > 1 && together.includes(machine) && { together }),
        },
        machine,
        title: `image ${image.ref} on ${machine}`,
        needs: first === undefined || first.machine === machine ? [] : [first.id],
      });
    }
    if (bundle !== undefined) {
      const short = bundle.digest.slice("sha256:".length, "sha256:".length + 12);
      const id = `bundle ${short}@${machine}`;
      steps.set(id, {
        id,
        kind: "bundle.ensure",
        args: { machine, digest: bundle.digest, sources },
        machine,
        title: `bundle ${short} on ${machine}`,
        needs: [],
      });
    }
  }
  return [...steps.values()];
}

/** Each machine on which something of the image starts, once. */
const machinesOf = (digest: string, candidates: readonly Candidate[]): readonly string[] =>
  [
    ...new Set(candidates.flatMap(({ machine, spec }) => (spec.image?.digest === digest ? [machine] : []))),
  ].sort();

export type Prepared = {
  readonly steps: readonly Step[];
  readonly volumes: VolumeSteps;
  /** Old instances that have stopped by the time of the commit. */
  readonly stopped: ReadonlySet<string>;
};

export type PrepareOptions = {
  readonly operation: string;
  readonly holdMs: number;
  /** Machines whose gateways hold requests. */
  readonly gateways: readonly string[];
  readonly facts: Pick<ChangeFacts, "candidates" | "machines">;
};

/** Snapshots, volumes, and for each candidate: reserve, (stop the old,) start and wait; ordered by `after`. */
export function prepareSteps(
  decision: Decision,
  candidates: readonly Candidate[],
  ensure: readonly Step[],
  options: PrepareOptions,
): Prepared {
  const gates = createGates("gate");
  const ensured = gates.all(ensure.map(({ id }) => id));
  const order = orderOf(decision, candidates);
  const inline = isSmall(candidates);

  // The old instances that must stop before each candidate starts: first of all those whose volume moves away.
  const retiring = decision.services.flatMap(({ retire }) => retire);
  const stoppable = retiring.filter((old) => {
    const state = decision.state(old);
    return state === "alive" || (state === "dead" && old.volumes !== undefined);
  });
  const stopId = (old: Instance) => `stop ${old.id}`;
  const stopsOf = (id: string) => stoppable.filter((old) => usesAny(old, new Set([id]))).map(stopId);
  const silent = new Set(
    options.facts.machines.flatMap(({ record, observation }) =>
      observation === undefined ? [record.id] : [],
    ),
  );
  const volumes = volumeSteps(decision, options.operation, ensured, stopsOf, silent);
  const firstDone = volumes.first.length > 0 ? gates.all(volumes.first.map(({ id }) => id)) : ensured;
  const stopsFor = (candidate: Candidate): readonly Instance[] => {
    if (candidate.kind === "job") return [];
    const ids = new Set(
      Object.values(candidate.volumes).flatMap(({ id, scope }) => (scope === "single" ? [id] : [])),
    );
    return stoppable.filter(
      (old) =>
        usesAny(old, ids) ||
        (old === candidate.replaces &&
          (candidate.spec.update === "stop-first" || usesAny(old, volumes.leaving))),
    );
  };
  const stopping = new Map<Instance, Candidate[]>();
  for (const candidate of candidates)
    for (const old of stopsFor(candidate)) stopping.set(old, [...(stopping.get(old) ?? []), candidate]);
  for (const old of stoppable) if (usesAny(old, volumes.leaving) && !stopping.has(old)) stopping.set(old, []);

  // A stop-first outage begins last, when every candidate that does not depend on it is ready.
  const late = order.following(new Set([...stopping.values()].flat().map(({ name }) => name)));
  const early = candidates.filter(({ name }) => !late.has(name)).map(lastStep);

  const outage = ([old, followers]: [Instance, readonly Candidate[]]): readonly string[] => [
    ...firstDone,
    ...followers.map(lastBefore),
    ...followers.flatMap(({ name }) => order.before(name)),
    ...early,
    ...Object.values(old.volumes ?? {}).flatMap((id) => volumes.beforeStop(id)),
  ];
  const routed = new Set(
    decision.services.flatMap(({ name, previous, next }) =>
      next !== undefined && previous !== undefined && previous.spec.routes.length > 0 ? [name] : [],
    ),
  );
  const holdId = (service: string) => `hold ${service}`;
  // Gateways hold requests from just before the outage.
  const holds = [...routed].flatMap((service): Step[] => {
    const before = [...stopping].filter(([old]) => old.service === service).flatMap(outage);
    if (before.length === 0) return [];
    return [
      {
        id: holdId(service),
        kind: "gateway.hold",
        args: {
          machines: options.gateways,
          namespace: decision.namespace,
          service,
          ms: options.holdMs,
        },
        title: `hold requests for ${service} at the gateways`,
        needs: gates.all(before),
      },
    ];
  });
  const held = new Set(holds.map(({ id }) => id));
  const stops = [...stopping].map((entry): Step => {
    const [old] = entry;
    const hold = holdId(old.service);
    return {
      id: stopId(old),
      kind: "stop",
      args: { machine: old.machine, id: old.id, graceMs: graceOf(decision, old) },
      machine: old.machine,
      title: `stop ${old.id} on ${old.machine}`,
      needs: held.has(hold) ? [hold] : gates.all(outage(entry)),
    };
  });

  const unordered = candidates.flatMap((candidate): Step[] => {
    const { name, slot, machine, id, spec } = candidate;
    const label = labelOf(candidate);
    const ready = Object.keys(candidate.volumes).flatMap((volume) => volumes.ready(volume));
    const stopped = stopsFor(candidate).map(stopId);
    return [
      {
        id: `reserve ${label}`,
        kind: "reserve",
        args: {
          machine,
          id,
          ...(spec.resources?.memoryBytes !== undefined && { memoryBytes: spec.resources.memoryBytes }),
        },
        machine,
        title: `reserve an address for ${name}.${slot} on ${machine}`,
        needs: firstDone,
      },
      ...secretSteps(candidate),
      {
        id: `start ${label}`,
        kind: "start",
        args: {
          machine,
          reserve: `reserve ${label}`,
          instance: startArgs(candidate, decision.namespace, inline),
        },
        machine,
        title: `start ${name}.${slot} on ${machine}`,
        needs: [lastBefore(candidate), ANNOUNCE, ...gates.all([...order.before(name), ...stopped, ...ready])],
      },
      waitStep(candidate, label),
    ];
  });
  const named = [
    ...announceStep(decision, candidates, { facts: options.facts, gates }),
    ...readySteps(decision, candidates, {
      gates,
      after: (service) => candidates.filter(({ name }) => order.before(name).includes(readyStepId(service))),
    }),
  ];
  const verify = verifyStep(candidates, gates);
  const all = [
    ...volumes.first,
    ...gates.steps(),
    ...volumes.rest,
    ...holds,
    ...stops,
    ...named,
    ...unordered,
    ...verify,
  ];
  return {
    steps: [...ensure, ...inOrder(all, new Set(ensure.map(({ id }) => id)))],
    volumes,
    stopped: new Set([...stopping.keys()].map(({ id }) => id)),
  };
}

function graceOf({ services }: Decision, { service }: Instance): number {
  const found = services.find(({ name }) => name === service);
  return (found?.next ?? found?.previous)?.spec.stopGraceMs ?? 0;
}

/** The volumes of a candidate, with the ids that they will have. */
export function volumesOf(
  spec: ServiceSpec | JobSpec,
  { namespace, volumes }: Decision,
  operation: string,
): Candidate["volumes"] {
  const wanted = "volumes" in spec ? Object.entries(spec.volumes) : [];
  return Object.fromEntries(
    wanted.flatMap(([name, target]) => {
      const decision = volumes.find((volume) => volume.name === name);
      if (decision === undefined) return [];
      const id = nextVolumeId(namespace, decision, operation);
      return [[name, { id, target, scope: decision.spec.scope }]];
    }),
  );
}

function secretSteps(candidate: Candidate): readonly Step[] {
  if (!hasSecrets(candidate)) return [];
  const { id, name, slot, machine, secrets } = candidate;
  return [
    {
      id: lastBefore(candidate),
      kind: "secrets",
      args: { machine, id, secrets },
      machine,
      title: `secrets of ${name}.${slot} on ${machine}`,
      needs: [`reserve ${labelOf(candidate)}`],
    },
  ];
}

function waitStep(candidate: Candidate, label: string): Step {
  const { machine, id, name, slot } = candidate;
  const needs = [`start ${label}`];
  if (candidate.kind === "job")
    return {
      id: lastStep(candidate),
      kind: "wait",
      args: { machine, id, timeoutMs: candidate.spec.timeoutMs },
      machine,
      title: `job ${name} on ${machine}`,
      needs,
    };
  const { ready = { kind: "running", settleMs: 0, timeoutMs: 30_000 }, ports } = candidate.spec;
  return {
    id: lastStep(candidate),
    kind: "ready",
    args: { machine, reserve: `reserve ${label}`, id, ports, ready },
    machine,
    title: `${name}.${slot} ready on ${machine}`,
    needs,
  };
}
