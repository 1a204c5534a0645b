import type { PlannedStep } from "../engine/types.ts";
import type { Instance, JobSpec, ServiceSpec } from "../model/commit.ts";
import type { Decision } from "./decide.ts";
import { createGates } from "./gates.ts";
import type { DeployFacts } from "./observe.ts";
import type { DeployKinds } from "./steps.ts";

type Step = PlannedStep<DeployKinds>;

/** An instance that this operation starts. */
export type Candidate = {
  readonly id: string;
  readonly name: string;
  readonly slot: number;
  readonly machine: string;
  readonly revision: string;
  readonly operation: string;
  readonly replaces?: Instance;
} & (
  | { readonly kind: "service"; readonly spec: ServiceSpec }
  | { readonly kind: "job"; readonly spec: JobSpec }
);

/** Everything that has to be on a machine before anything starts anywhere: a missing image must not be found out half way. */
export function ensureSteps(candidates: readonly Candidate[], facts: DeployFacts): readonly Step[] {
  const steps = new Map<string, Step>();
  for (const { machine, spec } of candidates) {
    const { image, bundle } = spec;
    const found = image ? facts.images.get(image.ref) : facts.bundles.get(bundle?.digest ?? "");
    const sources = (found?.holders ?? []).filter((holder) => holder !== machine);
    if (image !== undefined) {
      const id = `image ${image.ref}@${machine}`;
      steps.set(id, {
        id,
        kind: "image.ensure",
        args: { machine, ref: image.ref, digest: image.digest, sources },
        machine,
        title: `image ${image.ref} on ${machine}`,
        needs: [],
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

/** Reserve, (stop the old,) start and wait for each candidate, ordered by `after`. */
export function prepareSteps(
  decision: Decision,
  candidates: readonly Candidate[],
  ensure: readonly Step[],
  alive: (old: Instance) => boolean,
): readonly Step[] {
  const gates = createGates("gate");
  const ensured = gates.all(ensure.map(({ id }) => id));
  const order = orderOf(decision, candidates);
  const stops = (candidate: Candidate): Instance | undefined =>
    candidate.kind === "service" &&
    candidate.spec.update === "stop-first" &&
    candidate.replaces &&
    alive(candidate.replaces)
      ? candidate.replaces
      : undefined;
  // What stops first stops last: only when all that can be ready without it is ready does its outage begin.
  const stopping = new Set(
    candidates.filter((candidate) => stops(candidate) !== undefined).map(({ name }) => name),
  );
  const late = order.following(stopping);
  const early = candidates.filter(({ name }) => !late.has(name)).map(lastStep);

  const unordered = candidates.flatMap((candidate): Step[] => {
    const { name, slot, machine, id, spec } = candidate;
    const label = `${name}.${slot}@${machine}`;
    const before = order.before(name);
    const old = stops(candidate);
    const steps: Step[] = [
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
        needs: ensured,
      },
    ];
    if (old !== undefined)
      steps.push({
        id: `stop ${old.id}`,
        kind: "stop",
        args: { machine: old.machine, id: old.id, graceMs: spec.stopGraceMs },
        machine: old.machine,
        title: `stop ${old.id} on ${old.machine}`,
        needs: [`reserve ${label}`, ...gates.all([...before, ...early])],
      });
    steps.push(
      {
        id: `start ${label}`,
        kind: "start",
        args: { machine, reserve: `reserve ${label}`, instance: startArgs(candidate, decision.namespace) },
        machine,
        title: `start ${name}.${slot} on ${machine}`,
        needs: [`reserve ${label}`, ...(old ? [`stop ${old.id}`] : gates.all(before))],
      },
      waitStep(candidate, label),
    );
    return steps;
  });
  return inOrder([...gates.steps(), ...unordered], new Set(ensure.map(({ id }) => id)));
}

/** What a step needs comes before it in the list; otherwise the order stays. */
function inOrder(steps: readonly Step[], done: Set<string>): readonly Step[] {
  const ordered: Step[] = [];
  let waiting = steps;
  while (waiting.length > 0) {
    const later: Step[] = [];
    for (const step of waiting) {
      const ready = step.needs.every((need) => done.has(need));
      if (ready) done.add(step.id);
      (ready ? ordered : later).push(step);
    }
    if (later.length === waiting.length) throw new Error(`steps wait for each other: ${later[0]?.id}`);
    waiting = later;
  }
  return ordered;
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

/** The step after which what comes `after` this candidate may start. */
function lastStep({ kind, name, slot, machine }: Candidate): string {
  return `${kind === "job" ? "run" : "ready"} ${name}.${slot}@${machine}`;
}

function startArgs(candidate: Candidate, namespace: string): DeployKinds["start"]["args"]["instance"] {
  const { id, name, slot, revision, operation, kind, spec } = candidate;
  return {
    id,
    namespace,
    service: name,
    slot,
    revision,
    operation,
    kind,
    ...(spec.image !== undefined && { image: spec.image }),
    ...(spec.bundle !== undefined && { bundle: spec.bundle }),
    ...(spec.command !== undefined && { command: spec.command }),
    env: spec.env,
    ...(spec.user !== undefined && { user: spec.user }),
    ...(spec.resources !== undefined && { resources: spec.resources }),
    stopGraceMs: spec.stopGraceMs,
  };
}

/** `after`, over the steps that there are: what does not start now passes its own predecessors on. */
function orderOf(decision: Decision, candidates: readonly Candidate[]) {
  const after = new Map<string, readonly string[]>([
    ...decision.services.map(({ name, next }): [string, readonly string[]] => [name, next?.spec.after ?? []]),
    ...decision.jobs.map(({ name, next }): [string, readonly string[]] => [name, next.spec.after]),
  ]);
  const steps = new Map<string, string[]>();
  for (const candidate of candidates)
    steps.set(candidate.name, [...(steps.get(candidate.name) ?? []), lastStep(candidate)]);

  const before = (name: string): readonly string[] => {
    const found = new Set<string>();
    const seen = new Set<string>();
    const queue = [...(after.get(name) ?? [])];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const own = steps.get(next);
      if (own === undefined) queue.push(...(after.get(next) ?? []));
      else for (const step of own) found.add(step);
    }
    return [...found].sort();
  };
  /** `names` and everything that comes after one of them, directly or not. */
  const following = (names: ReadonlySet<string>): ReadonlySet<string> => {
    const result = new Set(names);
    let size = -1;
    while (size !== result.size) {
      size = result.size;
      for (const [name, list] of after) if (list.some((one) => result.has(one))) result.add(name);
    }
    return result;
  };
  return { before, following };
}
