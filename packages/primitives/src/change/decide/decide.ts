import type { Refusal } from "../../engine/types.ts";
import { instanceRevision } from "../../manifest/revision.ts";
import type { CommittedService, Instance, ServiceSpec } from "../../model/commit.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Decision, ServiceDecision, Start, Why } from "./decision.ts";
import type { Wish } from "./desired.ts";
import { decideJobs } from "./jobs.ts";
import { type Living, liveness } from "./liveness.ts";
import { boundNeeds } from "./needs.ts";
import { excluded, type Host, hostsOf, type Needs, noFit, place, type SlotDemand, unfit } from "./place.ts";
import { refuseFull } from "./pool-space.ts";
import { shippable, stoppable } from "./refuse-decision.ts";
import { type SecretScope, type Secrets, sameSecrets, secretScope } from "./secrets.ts";
import { planVolumes, refuseVolumes, type VolumePlan } from "./volumes.ts";

/**
 * What a wish means here and now: what stays, starts and goes, and where. Pure; `refuse` and `plan` both read it. Instances of
 * unchanged services that live, or are on a machine that does not answer, stay exactly where they are.
 */
export function decide({ desired, unresolved, ...wish }: Wish, facts: ChangeFacts): Decision {
  const refusals: Refusal[] = [...wish.refusals];
  const warnings: string[] = [...wish.warnings];
  const committed = facts.head?.commit;
  const world = liveness(facts);
  const volumes = planVolumes(desired, committed?.volumes ?? []);
  const secrets = secretScope(desired, facts);

  const names = [
    ...new Set([...Object.keys(committed?.services ?? {}), ...Object.keys(desired.services)]),
  ].sort();
  const drafts = names.map((name) => {
    const next = own(desired.services, name);
    const previous = own(committed?.services, name);
    const old = (committed?.instances ?? []).filter((instance) => instance.service === name);
    const needs = next && boundNeeds(name, next.spec, desired, volumes);
    const keep =
      next && needs && !next.suspended
        ? old.filter(keepable(next, needs, volumes, world, desired.renewSecrets ? secrets : undefined))
        : [];
    return { name, next, previous, old, keep };
  });
  const hosts = hostsOf(
    facts.machines,
    occupancy(
      facts,
      drafts.flatMap(({ keep }) => keep),
    ),
  );

  const services = drafts.map(({ name, next, previous, old, keep }): ServiceDecision => {
    const base = { name, ...(previous && { previous }), secrets: next ? secrets.of(next.spec) : {} };
    // A spec that could not be resolved is refused; it must not look like a removal meanwhile.
    if (next === undefined) return { ...base, keep: [], start: [], retire: unresolved.has(name) ? [] : old };
    const { spec } = next;
    // Again, because a volume that two services share has its machine since the first of them was placed.
    const needs = boundNeeds(name, spec, desired, volumes);
    const count = spec.placement.kind === "replicas" ? spec.placement.count : undefined;
    const stay = count === undefined ? keep : keep.filter(({ slot }) => slot <= count);
    const going = old.filter((instance) => !stay.includes(instance));
    const wanted = next.suspended
      ? []
      : count === undefined
        ? everyMachine(needs, stay, old, hosts, warnings, name)
        : vacant(count, stay);
    const demands = wanted.map((demand): SlotDemand => {
      const before = going.find(({ slot }) => slot === demand.slot);
      const frees = spec.update === "stop-first" && before !== undefined && world.state(before) === "alive";
      return {
        slot: demand.slot,
        ...(demand.machine !== undefined ? { prefer: demand.machine } : before && { prefer: before.machine }),
        ...(frees && { freedBytes: previous?.spec.resources?.memoryBytes ?? 0 }),
      };
    });
    // A new volume goes where the first instance goes, and the others follow it.
    const follows = demands.length > 1 && needs.newVolumeBytes !== undefined;
    const leading = placeAll(spec, needs, follows ? demands.slice(0, 1) : demands, stay, hosts, wanted);
    const [somewhere] = leading.ok ? leading.machines.values() : [];
    if (somewhere !== undefined) volumes.place(spec, somewhere);
    const bound = boundNeeds(name, spec, desired, volumes);
    const following =
      follows && leading.ok ? placeAll(spec, bound, demands.slice(1), stay, hosts, wanted) : undefined;
    const placed =
      leading.ok && following?.ok
        ? { ok: true as const, machines: new Map([...leading.machines, ...following.machines]) }
        : (following ?? leading);
    if (!placed.ok) refusals.push(noFit(`services.${name}`, wanted.length, placed));
    const start = wanted.flatMap(({ slot }): Start[] => {
      const machine = placed.ok ? placed.machines.get(slot) : undefined;
      if (machine === undefined) return [];
      const before = going.find((instance) => instance.slot === slot);
      return [
        {
          slot,
          machine,
          why: reason(before, next, base.secrets, world),
          ...(before && { replaces: before }),
        },
      ];
    });
    return { ...base, next, keep: stay, start, retire: going };
  });

  const jobs = decideJobs(desired, services, committed?.jobs ?? {}, hosts, refusals);
  const decided = volumes.decisions();
  const touched = new Set(
    services.flatMap(({ next, start }) => (start.length > 0 ? Object.keys(next?.spec.volumes ?? {}) : [])),
  );
  refusals.push(
    ...shippable(services, jobs, facts),
    ...stoppable(services, decided, world),
    ...refuseVolumes(decided, touched, facts),
    ...refuseFull(decided, facts),
    ...services.flatMap(({ name, next, start }) =>
      next !== undefined && start.length > 0 ? secrets.refuse(`services.${name}`, next.spec) : [],
    ),
    ...jobs.flatMap(({ name, next, run }) => (run ? secrets.refuse(`jobs.${name}`, next.spec) : [])),
  );
  for (const { retire } of services) {
    for (const gone of retire.filter((instance) => world.state(instance) === "unknown")) {
      warnings.push(
        `machine ${gone.machine} does not answer: ${gone.id} leaves the commit, and is removed there when the machine is back`,
      );
    }
  }
  const { namespace } = desired;
  const known = new Set((committed?.instances ?? []).map(({ id }) => id));
  const strays = facts.machines.flatMap(({ record, observation }) =>
    (observation?.instances ?? [])
      .filter((seen) => seen.namespace === namespace && !known.has(seen.id))
      .map((instance) => ({ ...instance, machine: record.id })),
  );
  const going = (committed?.volumes ?? []).filter(({ name }) => desired.dropped.includes(name));
  const members = new Set(facts.machines.flatMap(({ record, lost }) => (lost ? [] : [record.id])));
  const lost = going.filter(({ machine }) => !members.has(machine));
  const dropped = going.filter(({ machine }) => members.has(machine));
  return { namespace, services, jobs, volumes: decided, secrets, dropped, lost, strays, refusals, warnings };
}

/** `secrets`: it must have been started with what they are now. */
function keepable(
  next: CommittedService,
  needs: Needs,
  volumes: VolumePlan,
  world: Living,
  secrets: SecretScope | undefined,
) {
  const wanted = instanceRevision(next.spec);
  return (instance: Instance): boolean => {
    const state = world.state(instance);
    const host = world.host(instance.machine);
    const alive = state === "alive" || state === "unknown";
    return (
      alive &&
      instance.revision === wanted &&
      host !== undefined &&
      !excluded(needs, host) &&
      volumes.kept(instance, next.spec) &&
      (secrets === undefined || sameSecrets(instance.secrets, secrets.of(next.spec)))
    );
  };
}

function reason(before: Instance | undefined, next: CommittedService, secrets: Secrets, world: Living): Why {
  if (before === undefined) return "new";
  if (before.revision !== instanceRevision(next.spec)) return "changed";
  const state = world.state(before);
  if (state === "dead" || state === "gone") return "dead";
  return sameSecrets(before.secrets, secrets) ? "moved" : "changed";
}

/** Committed instances per machine, of all namespaces, without those of this one that go. */
function occupancy(facts: ChangeFacts, keep: readonly Instance[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { machine } of [...keep, ...facts.others.flatMap(({ commit }) => commit.instances)])
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
  needs: Needs,
  stay: readonly Instance[],
  old: readonly Instance[],
  hosts: readonly Host[],
  warnings: string[],
  name: string,
): readonly Vacancy[] {
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
  needs: Needs,
  demands: readonly SlotDemand[],
  stay: readonly Instance[],
  hosts: readonly Host[],
  wanted: readonly Vacancy[],
) {
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
