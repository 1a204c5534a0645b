import type { Refusal, Refusals } from "../../engine/types.ts";
import { instanceRevision } from "../../manifest/revision.ts";
import type { CommittedService, Instance, ServiceSpec } from "../../model/commit.ts";
import { claimsOf } from "../../model/host-ports.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Decision, ServiceDecision, Start, Why } from "./decision.ts";
import type { Wish } from "./desired.ts";
import { claimPorts, routedPorts } from "./host-ports.ts";
import { decideJobs } from "./jobs.ts";
import { type Liveness, liveness } from "./liveness.ts";
import { boundNeeds } from "./needs.ts";
import { excluded, type Host, hostsOf, type Needs, noFit, place, type SlotDemand, unfit } from "./place.ts";
import { refuseFull } from "./pool-space.ts";
import { isUnknownMachine, noMachines, refuseDesired } from "./refuse.ts";
import { refuseBounds } from "./refuse-bounds.ts";
import { shippable, stoppable } from "./refuse-decision.ts";
import { refuseNames } from "./refuse-names.ts";
import { type SecretScope, type Secrets, sameSecrets, secretScope } from "./secrets.ts";
import { planVolumes, refuseVolumes, type VolumePlan } from "./volumes.ts";

/**
 * Decides which instances and volumes stay, start and go, and where; or returns every reason against it. Pure. Instances of unchanged
 * services that are alive, or on a machine that does not answer, stay where they are.
 */
export function decide({ desired, unresolved, ...wish }: Wish, facts: ChangeFacts): Decision | Refusals {
  if (facts.machines.length === 0) return { refusals: [noMachines] };
  const refusals: Refusal[] = [...refuseDesired(desired, facts), ...wish.refusals];
  // Without the requested machine, all further refusals would only be consequences.
  if (wish.refusals.some(isUnknownMachine)) return { refusals };
  const warnings: string[] = [...wish.warnings];
  const committed = facts.head?.commit;
  const state = liveness(facts);
  // Ports of the namespace itself are free again, unless their instances stay.
  const hosts = hostsOf(facts.machines, {
    claims: [...facts.others.flatMap(({ commit }) => claimsOf(commit)), ...routedPorts(desired)],
    leaving: committed === undefined ? [] : claimsOf(committed),
  });
  const volumes = planVolumes(desired, committed?.volumes ?? []);
  const secrets = secretScope(desired, facts);

  const names = [
    ...new Set([...Object.keys(committed?.services ?? {}), ...Object.keys(desired.services)]),
  ].sort();
  const drafts = names.map((name) => {
    const next = own(desired.services, name);
    const previous = own(committed?.services, name);
    const restarted = desired.restarts?.includes(name) === true;
    const old = (committed?.instances ?? []).filter((instance) => instance.service === name);
    const needs = next && boundNeeds(name, next.spec, desired, { volumes, content: facts.content });
    const keep =
      next && needs && runs(next) && !restarted
        ? old.filter(
            keepable(next, needs, { volumes, hosts, state, ...(desired.renewSecrets && { secrets }) }),
          )
        : [];
    return { name, next, previous, needs, old, keep, restarted };
  });
  const kept = drafts.flatMap(({ keep }) => keep);
  occupy(hosts, [...kept, ...facts.others.flatMap(({ commit }) => commit.instances)]);
  for (const { name, next, keep } of drafts)
    claimPorts(hosts, `${desired.namespace}/${name}`, next?.spec, keep);

  const services = drafts.map(({ name, next, previous, needs, old, keep, restarted }): ServiceDecision => {
    const base = { name, ...(previous && { previous }), secrets: next ? secrets.of(next.spec) : {} };
    // An unresolved spec is refused already, and is no removal.
    if (next === undefined || needs === undefined)
      return { ...base, keep: [], start: [], retire: unresolved.has(name) ? [] : old };
    const { spec } = next;
    const count = spec.placement.kind === "replicas" ? spec.placement.count : undefined;
    const stay = count === undefined ? keep : keep.filter(({ slot }) => slot <= count);
    const going = old.filter((instance) => !stay.includes(instance));
    const wanted = !runs(next)
      ? []
      : count === undefined
        ? everyMachine(needs, stay, old, hosts, warnings, name)
        : vacant(count, stay);
    const demands = wanted.map((demand): SlotDemand => {
      const before = going.find(({ slot }) => slot === demand.slot);
      const frees = spec.update === "stop-first" && before !== undefined && state(before) === "alive";
      return {
        slot: demand.slot,
        ...(demand.machine !== undefined ? { prefer: demand.machine } : before && { prefer: before.machine }),
        ...(frees && { freedBytes: previous?.spec.resources?.memoryBytes ?? 0 }),
      };
    });
    // A new volume is placed with the first instance; the others follow it.
    const follows = demands.length > 1 && needs.newVolumeBytes !== undefined;
    const leading = placeAll(spec, needs, follows ? demands.slice(0, 1) : demands, stay, hosts, wanted);
    const [somewhere] = leading.ok ? leading.machines.values() : [];
    if (somewhere !== undefined) volumes.place(spec, somewhere);
    const following =
      follows && leading.ok ? placeAll(spec, needs, demands.slice(1), stay, hosts, wanted) : undefined;
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
          why: restarted && before ? "restart" : reason({ before, machine }, next, base.secrets, state),
          ...(before && { replaces: before }),
        },
      ];
    });
    return { ...base, next, keep: stay, start, retire: going };
  });

  const jobs = decideJobs(
    desired,
    services,
    { committed: committed?.jobs ?? {}, content: facts.content },
    hosts,
    refusals,
  );
  const decided = volumes.decisions();
  const touched = new Set(
    services.flatMap(({ next, start }) => (start.length > 0 ? Object.keys(next?.spec.volumes ?? {}) : [])),
  );
  refusals.push(
    ...shippable(services, jobs, facts),
    ...stoppable(
      services.filter(({ name }) => desired.abandoned?.includes(name) !== true),
      decided,
      state,
    ),
    ...refuseVolumes(decided, touched, facts),
    ...refuseNames(desired, decided, facts),
    ...refuseFull(decided, facts),
    ...services.flatMap(({ name, next, start }) =>
      next !== undefined && start.length > 0
        ? [...secrets.refuse(`services.${name}`, next.spec), ...refuseBounds(["services", name], next.spec)]
        : [],
    ),
    ...services.flatMap(({ name, next }) =>
      next === undefined
        ? []
        : secrets.refuseUsers(`services.${name}`, next.spec.routes, committed?.routes ?? []),
    ),
    ...jobs.flatMap(({ name, next, run }) =>
      run ? [...secrets.refuse(`jobs.${name}`, next.spec), ...refuseBounds(["jobs", name], next.spec)] : [],
    ),
  );
  if (refusals.length > 0) return { refusals };
  for (const { retire } of services) {
    for (const gone of retire.filter((instance) => state(instance) === "unknown")) {
      warnings.push(
        `machine ${gone.machine} does not answer: ${gone.id} leaves the commit, and is removed there when the machine is back`,
      );
    }
  }
  const { namespace } = desired;
  const known = new Set((committed?.instances ?? []).map(({ id }) => id));
  const strays = facts.machines.flatMap(({ record, observation }) =>
    (observation?.instances ?? [])
      .filter(({ id, namespace: of }) => of === namespace && !known.has(id) && !facts.running?.has(id))
      .map((instance) => ({ ...instance, machine: record.id })),
  );
  const going = (committed?.volumes ?? []).filter(({ name }) => desired.dropped.includes(name));
  const members = new Set(facts.machines.flatMap(({ record, lost }) => (lost ? [] : [record.id])));
  const lost = going.filter(({ machine }) => !members.has(machine));
  const dropped = going.filter(({ machine }) => members.has(machine));
  return { namespace, services, jobs, volumes: decided, secrets, dropped, lost, strays, state, warnings };
}

/** `secrets`: it must have been started with their present versions. */
function keepable(
  next: CommittedService,
  needs: Needs,
  present: {
    readonly volumes: VolumePlan;
    readonly hosts: readonly Host[];
    readonly state: Liveness;
    readonly secrets?: SecretScope;
  },
) {
  const { volumes, hosts, secrets } = present;
  const wanted = instanceRevision(next.spec);
  return (instance: Instance): boolean => {
    const state = present.state(instance);
    const host = hosts.find(({ id }) => id === instance.machine);
    return (
      (state === "alive" || state === "unknown") &&
      instance.revision === wanted &&
      host !== undefined &&
      !excluded(needs, host) &&
      volumes.kept(instance, next.spec) &&
      (secrets === undefined || sameSecrets(instance.secrets, secrets.of(next.spec)))
    );
  };
}

const runs = ({ suspended, stopped }: CommittedService): boolean => !suspended && !stopped;

function reason(
  { before, machine }: { readonly before: Instance | undefined; readonly machine: string },
  next: CommittedService,
  secrets: Secrets,
  liveness: Liveness,
): Why {
  if (before === undefined) return "new";
  if (before.revision !== instanceRevision(next.spec)) return "changed";
  const state = liveness(before);
  if (state === "dead" || state === "gone") return "dead";
  if (!sameSecrets(before.secrets, secrets)) return "changed";
  // On its machine it would have stayed, but for its volumes.
  return before.machine === machine ? "data" : "moved";
}

/** Counts the instances that stay on each machine. */
function occupy(hosts: readonly Host[], instances: readonly Instance[]): void {
  const byId = new Map(hosts.map((host) => [host.id, host]));
  for (const { machine } of instances) {
    const host = byId.get(machine);
    if (host !== undefined) host.instances += 1;
  }
}

type Vacancy = { readonly slot: number; readonly machine?: string };

function vacant(count: number, stay: readonly Instance[]): readonly Vacancy[] {
  const taken = new Set(stay.map(({ slot }) => slot));
  return Array.from({ length: count }, (_, index) => ({ slot: index + 1 })).filter(
    ({ slot }) => !taken.has(slot),
  );
}

/** One on each fitting machine where none stays; a machine keeps its slot, a new machine gets the lowest free one. */
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
  // The machine is fixed; placement still checks and books its memory.
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
