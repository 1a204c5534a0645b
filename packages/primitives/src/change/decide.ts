import type { Refusal } from "../engine/types.ts";
import { normalise } from "../manifest/normalise.ts";
import { instanceRevision } from "../manifest/revision.ts";
import type { CommittedService, Instance, JobSpec, ServiceSpec } from "../model/commit.ts";
import type { ObservedInstance } from "../participant/commands.ts";
import { decideJobs, own } from "./decide-jobs.ts";
import type { DeployInput } from "./input.ts";
import type { DeployFacts } from "./observe.ts";
import { excluded, type Host, hostsOf, needsOf, place, type SlotDemand, unfit } from "./place.ts";
import { noFit, resolveSpecs } from "./resolve.ts";

/** Why an instance is started: nothing was in its slot; its spec changed; what was there is dead; its machine is ruled out now. */
export type Why = "new" | "changed" | "dead" | "moved";

export type Start = {
  readonly slot: number;
  readonly machine: string;
  readonly why: Why;
  readonly replaces?: Instance;
};

export type ServiceDecision = {
  readonly name: string;
  /** Absent: the service goes. */
  readonly next?: CommittedService;
  /** Absent: the service is new. */
  readonly previous?: CommittedService;
  readonly keep: readonly Instance[];
  readonly start: readonly Start[];
  /** Committed instances that go, those that are replaced among them. */
  readonly retire: readonly Instance[];
};

export type JobDecision = {
  readonly name: string;
  readonly next: { readonly revision: string; readonly spec: JobSpec };
  readonly run?: { readonly machine: string; readonly why: string };
};

export type Decision = {
  readonly namespace: string;
  readonly services: readonly ServiceDecision[];
  readonly jobs: readonly JobDecision[];
  /** What the namespace's machines run and no commit names, left by operations that died. */
  readonly strays: readonly (ObservedInstance & { readonly machine: string })[];
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
};

/**
 * What a deploy means here and now: what stays, starts and goes, and where. Pure; `refuse` and `plan` both read it. Instances of
 * unchanged services that live, or are on a machine that does not answer, stay exactly where they are.
 */
export function decide(input: DeployInput, facts: DeployFacts): Decision {
  const manifest = normalise(input.manifest);
  const resolved = resolveSpecs(manifest, input, facts);
  const refusals: Refusal[] = [...resolved.refusals];
  const warnings: string[] = [...resolved.warnings];
  const committed = facts.head?.commit;
  const world = liveness(facts);

  const names = [
    ...new Set([...Object.keys(committed?.services ?? {}), ...Object.keys(manifest.services)]),
  ].sort();
  const drafts = names.map((name) => {
    const next = resolved.services.get(name);
    const previous = own(committed?.services, name);
    const old = (committed?.instances ?? []).filter((instance) => instance.service === name);
    return { name, next, previous, old, keep: next === undefined ? [] : old.filter(keepable(next, world)) };
  });
  const hosts = hostsOf(
    facts.machines,
    occupancy(
      facts,
      drafts.flatMap(({ keep }) => keep),
    ),
  );

  const services = drafts.map(({ name, next, previous, old, keep }): ServiceDecision => {
    const base = { name, ...(previous && { previous }) };
    // A spec that could not be resolved is refused; it must not look like a removal meanwhile.
    if (next === undefined)
      return { ...base, keep: [], start: [], retire: Object.hasOwn(manifest.services, name) ? [] : old };
    const { spec } = next;
    const count = spec.placement.kind === "replicas" ? spec.placement.count : undefined;
    const stay = count === undefined ? keep : keep.filter(({ slot }) => slot <= count);
    const going = old.filter((instance) => !stay.includes(instance));
    const wanted =
      count === undefined ? everyMachine(spec, stay, old, hosts, warnings, name) : vacant(count, stay);
    const demands = wanted.map((demand): SlotDemand => {
      const before = going.find(({ slot }) => slot === demand.slot);
      const frees = spec.update === "stop-first" && before !== undefined && world.state(before) === "alive";
      return {
        slot: demand.slot,
        ...(demand.machine !== undefined ? { prefer: demand.machine } : before && { prefer: before.machine }),
        ...(frees && { freedBytes: previous?.spec.resources?.memoryBytes ?? 0 }),
      };
    });
    const placed = placeAll(spec, demands, stay, hosts, wanted);
    if (!placed.ok) refusals.push(noFit(`services.${name}`, wanted.length, placed));
    const start = wanted.flatMap(({ slot }): Start[] => {
      const machine = placed.ok ? placed.machines.get(slot) : undefined;
      if (machine === undefined) return [];
      const before = going.find((instance) => instance.slot === slot);
      return [{ slot, machine, why: reason(before, next, world), ...(before && { replaces: before }) }];
    });
    return { ...base, next, keep: stay, start, retire: going };
  });

  const jobs = decideJobs(manifest, resolved.jobs, services, committed?.jobs ?? {}, hosts, refusals);
  refusals.push(...resolved.shippable(services, jobs), ...stoppable(services, world));
  for (const { retire } of services) {
    for (const gone of retire.filter((instance) => world.state(instance) === "unknown")) {
      warnings.push(
        `machine ${gone.machine} does not answer: ${gone.id} leaves the commit, and is removed there when the machine is back`,
      );
    }
  }
  const known = new Set((committed?.instances ?? []).map(({ id }) => id));
  const strays = facts.machines.flatMap(({ record, observation }) =>
    (observation?.instances ?? [])
      .filter(({ namespace, id }) => namespace === manifest.namespace && !known.has(id))
      .map((instance) => ({ ...instance, machine: record.id })),
  );
  return { namespace: manifest.namespace, services, jobs, strays, refusals, warnings };
}

type World = {
  /** `gone`: its machine is no member any more. `unknown`: its machine does not answer. */
  state(instance: Instance): "alive" | "dead" | "gone" | "unknown";
  host(machine: string): Host | undefined;
};

export function liveness(facts: DeployFacts): World {
  const machines = new Map(facts.machines.map((machine) => [machine.record.id, machine]));
  const hosts = new Map(hostsOf(facts.machines, new Map()).map((host) => [host.id, host]));
  return {
    state({ id, machine }) {
      const fact = machines.get(machine);
      if (fact === undefined) return "gone";
      if (fact.observation === undefined) return "unknown";
      const running = fact.observation.instances.some((seen) => seen.id === id && seen.state === "running");
      return running ? "alive" : "dead";
    },
    host: (machine) => hosts.get(machine),
  };
}

function keepable(next: CommittedService, world: World) {
  const wanted = instanceRevision(next.spec);
  return (instance: Instance): boolean => {
    const state = world.state(instance);
    const host = world.host(instance.machine);
    const alive = state === "alive" || state === "unknown";
    return alive && instance.revision === wanted && host !== undefined && !excluded(needsOf(next.spec), host);
  };
}

function reason(before: Instance | undefined, next: CommittedService, world: World): Why {
  if (before === undefined) return "new";
  if (before.revision !== instanceRevision(next.spec)) return "changed";
  const state = world.state(before);
  return state === "dead" || state === "gone" ? "dead" : "moved";
}

/** Committed instances per machine, of all namespaces, without those of this one that go. */
function occupancy(facts: DeployFacts, keep: readonly Instance[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { machine } of [...keep, ...facts.others.flatMap(({ instances }) => instances)])
    counts.set(machine, (counts.get(machine) ?? 0) + 1);
  return counts;
}

type Vacancy = { readonly slot: number; readonly machine?: string };

function vacant(count: number, stay: readonly Instance[]): readonly Vacancy[] {
  const taken = new Set(stay.map(({ slot }) => slot));
  return Array.from({ length: count }, (_, index) => ({ slot: index + 1 })).filter(
    ({ slot }) => !taken.has(slot),
  );
}

/** One on each machine that fits and has none that stays; a machine keeps its slot, a new one takes the lowest free. */
function everyMachine(
  spec: ServiceSpec,
  stay: readonly Instance[],
  old: readonly Instance[],
  hosts: readonly Host[],
  warnings: string[],
  name: string,
): readonly Vacancy[] {
  const needs = needsOf(spec);
  const has = new Set(stay.map(({ machine }) => machine));
  const allowed = hosts.filter((host) => excluded(needs, host) === undefined && !has.has(host.id));
  const fitting = allowed.filter((host) => {
    const why = unfit({ ...needs, memoryBytes: 0 }, host);
    if (why !== undefined) warnings.push(`${name} does not start on ${host.id}: ${why}`);
    return why === undefined;
  });
  const before = new Map(
    old.filter((instance) => !stay.includes(instance)).map(({ machine, slot }) => [machine, slot]),
  );
  const taken = new Set(stay.map(({ slot }) => slot));
  for (const { id } of fitting) taken.add(before.get(id) ?? 0);
  let free = 1;
  return fitting
    .map(({ id }): Vacancy => {
      const slot = before.get(id);
      if (slot !== undefined) return { slot, machine: id };
      while (taken.has(free)) free += 1;
      taken.add(free);
      return { slot: free, machine: id };
    })
    .sort((left, right) => left.slot - right.slot);
}

function placeAll(
  spec: ServiceSpec,
  demands: readonly SlotDemand[],
  stay: readonly Instance[],
  hosts: readonly Host[],
  wanted: readonly Vacancy[],
) {
  const needs = needsOf(spec);
  const kept = stay.map(({ machine }) => machine);
  if (spec.placement.kind === "replicas") return place(needs, demands, kept, hosts);
  // The machine is given; placement still checks and books its memory.
  const machines = new Map<number, string>();
  for (const [index, demand] of demands.entries()) {
    const machine = wanted[index]?.machine ?? "";
    const placed = place(
      needs,
      [demand],
      [],
      hosts.filter(({ id }) => id === machine),
    );
    if (!placed.ok) return placed;
    machines.set(demand.slot, machine);
  }
  return { ok: true as const, machines };
}

/** Stop-first promises that old and new never run together, which cannot be kept for a machine that does not answer. */
function stoppable(services: readonly ServiceDecision[], world: World): readonly Refusal[] {
  return services.flatMap(({ name, next, start }) =>
    start.flatMap(({ replaces }): Refusal[] =>
      next?.spec.update === "stop-first" && replaces !== undefined && world.state(replaces) === "unknown"
        ? [
            {
              code: "machine_unreachable",
              message: `services.${name}: ${replaces.id} must stop before its successor starts, but machine ${replaces.machine} does not answer`,
              hint: `bring ${replaces.machine} back, or set update = "start-first"`,
              machine: replaces.machine,
            },
          ]
        : [],
    ),
  );
}
