import { type Host, hostsOf, type Needs, needsOf, noFit, type Unfit, unfit } from "../change/decide/place.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { Refusal } from "../engine/types.ts";
import type { Commit, ServiceSpec, Volume } from "../model/commit.ts";

export type Targets = {
  /** By the volume's name. */
  readonly machines: ReadonlyMap<string, string>;
  readonly refusals: readonly Refusal[];
};

/**
 * A machine for every volume of a namespace that has to leave one. Volumes that a service uses together stay together, and go where
 * all that run on them may run: the machine of which most can still be promised. Pure.
 */
export function chooseTargets(commit: Commit, leaving: string, facts: ChangeFacts): Targets {
  const hosts = hostsOf(facts.machines);
  const room = new Map(
    facts.machines.map(({ record, observation }) => [record.id, observation?.storage?.availableBytes ?? 0]),
  );
  const machines = new Map<string, string>();
  const refusals: Refusal[] = [];
  const groups = groupsOf(commit)
    .filter(({ volumes }) => volumes.some(({ machine }) => machine === leaving))
    .map((group) => ({ ...group, ...demandOf(group, leaving, facts) }))
    .sort((left, right) => right.quotaBytes - left.quotaBytes || (left.name < right.name ? -1 : 1));
  for (const group of groups) {
    const why = (host: Host) =>
      misfit({ ...group, content: facts.content }, host, leaving, room.get(host.id) ?? 0);
    const [best] = hosts
      .filter((host) => why(host) === undefined)
      .sort(
        (left, right) =>
          (right.promisableBytes ?? 0) - (left.promisableBytes ?? 0) || (left.id < right.id ? -1 : 1),
      );
    if (best === undefined) {
      const reasons = hosts.map((host): Unfit => ({ machine: host.id, reason: why(host) ?? "" }));
      refusals.push(noFit(`volumes.${group.name}`, 1, { ok: false, slot: 1, reasons }));
      continue;
    }
    best.promisableBytes = (best.promisableBytes ?? 0) - group.quotaBytes;
    best.memoryFreeBytes -= group.memoryBytes;
    room.set(best.id, (room.get(best.id) ?? 0) - group.usedBytes);
    for (const { name } of group.going) machines.set(name, best.id);
  }
  return { machines, refusals };
}

/** Volumes that have to be on one machine, and what runs on them. */
type Group = {
  readonly name: string;
  readonly volumes: readonly Volume[];
  readonly specs: readonly ServiceSpec[];
};

type Demand = {
  readonly going: readonly Volume[];
  readonly quotaBytes: number;
  readonly usedBytes: number;
  readonly memoryBytes: number;
  /** Where the rest of the group is already. */
  readonly only?: { readonly machine: string; readonly why: string };
};

function groupsOf({ volumes, services }: Commit): readonly Group[] {
  const specs = Object.values(services).map(({ spec }) => spec);
  const left = new Map(volumes.map((volume) => [volume.name, volume]));
  const groups: Group[] = [];
  for (const volume of volumes) {
    if (!left.has(volume.name)) continue;
    const names = new Set([volume.name]);
    const users = new Set<ServiceSpec>();
    for (const name of names) {
      for (const spec of specs.filter((one) => Object.hasOwn(one.volumes, name))) {
        users.add(spec);
        for (const other of Object.keys(spec.volumes)) if (left.has(other)) names.add(other); // is iterated over, too
      }
    }
    const members = volumes.filter(({ name }) => names.has(name));
    for (const { name } of members) left.delete(name);
    groups.push({ name: members.map(({ name }) => name).join("+"), volumes: members, specs: [...users] });
  }
  return groups;
}

function demandOf({ volumes, specs }: Group, leaving: string, facts: ChangeFacts): Demand {
  const going = volumes.filter(({ machine }) => machine === leaving);
  const stays = volumes.find(({ machine }) => machine !== leaving);
  const copies = facts.machines.find(({ record }) => record.id === leaving)?.observation?.volumes ?? [];
  const usedBytes = going.reduce(
    (sum, { id }) => sum + (copies.find((copy) => copy.id === id)?.referencedBytes ?? 0),
    0,
  );
  return {
    going,
    usedBytes,
    quotaBytes: going.reduce((sum, { spec }) => sum + (spec.quotaBytes ?? 0), 0),
    memoryBytes: specs.reduce((sum, spec) => sum + memoryOf(spec), 0),
    ...(stays && {
      only: { machine: stays.machine, why: `its volume ${stays.name} is on ${stays.machine}` },
    }),
  };
}

const memoryOf = ({ placement, resources }: ServiceSpec): number =>
  (resources?.memoryBytes ?? 0) * (placement.kind === "replicas" ? placement.count : 1);

/** Why the group cannot go to this machine. */
function misfit(
  group: Group & Demand & Pick<ChangeFacts, "content">,
  host: Host,
  leaving: string,
  room: number,
): string | undefined {
  const { specs, quotaBytes, usedBytes, memoryBytes, only } = group;
  const demand = { avoid: [leaving], newVolumeBytes: quotaBytes, memoryBytes, ...(only && { only }) };
  const anything: Needs = { kind: "any", constraints: undefined, cpus: 0, memoryBytes: 0 };
  for (const needs of specs.length > 0 ? specs.map((spec) => needsOf(spec, group.content)) : [anything]) {
    const reason = unfit({ ...needs, ...demand }, host);
    if (reason !== undefined) return reason;
  }
  const mib = (bytes: number) => Math.ceil(bytes / 1024 ** 2);
  return usedBytes > room ? `${mib(room)} MiB of its pool free, ${mib(usedBytes)} MiB of data` : undefined;
}
