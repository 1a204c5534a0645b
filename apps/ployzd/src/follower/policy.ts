import type { Views, ZoneRecords } from "@ployz/dns";
import type { CandidateInstance, Candidates, Commit, MachineRecord } from "@ployz/primitives/protocol";
import type { NetworkPolicy } from "@ployz/runtime";
import type { Followed, Guest } from "./run.ts";

/** A namespace as the network sees it: its last commit, and the candidates of an operation on it. */
export interface Resident {
  readonly commit: Pick<Commit, "namespace" | "services" | "instances" | "routes">;
  readonly candidates?: Candidates;
  /** One-off instances of this machine. */
  readonly guests?: readonly Guest[];
  /** Instances that run by themselves: they reach what the committed ones reach. */
  readonly running?: readonly CandidateInstance[];
}

export interface Isolation {
  readonly policy: NetworkPolicy;
  readonly views: Views;
}

/** One for each namespace that is committed or about to be. */
export function residentsOf({
  heads,
  candidates,
  guests,
  running,
}: Pick<Followed, "heads" | "candidates" | "guests" | "running">): readonly Resident[] {
  const committed = new Set(heads.map(({ commit }) => commit.namespace));
  const starting = [...candidates].filter(([namespace]) => !committed.has(namespace));
  return [
    ...heads.map(({ commit }) => {
      const own = candidates.get(commit.namespace);
      const here = guests.filter(({ namespace }) => namespace === commit.namespace);
      const alone = running.get(commit.namespace);
      return {
        commit,
        ...(own && { candidates: own }),
        ...(here.length > 0 && { guests: here }),
        ...(alone && { running: alone }),
      };
    }),
    ...starting.map(([namespace, own]) => ({
      commit: { namespace, services: {}, instances: [], routes: [] },
      candidates: own,
    })),
  ];
}

type Services = ZoneRecords["services"];
/** A workload address, and what it may reach. Workloads with the same `group` reach the same. */
interface Member {
  readonly namespace: string;
  readonly service: string;
  readonly address: string;
  readonly machine: string;
  /** Of an operation's candidate. */
  readonly operation?: string;
  /** Of a canary: the service that it is a version of. */
  readonly of?: string;
}

/** A service that `allow_from` opens to workloads of other namespaces. */
interface Opening {
  readonly namespace: string;
  readonly service: string;
  readonly entries: readonly string[];
}

/** `gw`, `gw:web`, `pr-*` or `*`: whether a workload is meant. */
export function allows(entry: string, namespace: string, service: string): boolean {
  const [name = "", only] = entry.split(":", 2);
  const matches = name.endsWith("*") ? namespace.startsWith(name.slice(0, -1)) : namespace === name;
  return matches && (only === undefined || only === service);
}

/**
 * Who may talk to whom, as this machine's packet filter and DNS enforce it. A workload reaches its own namespace, and services of others whose
 * `allow_from` names it. Pure.
 */
export function isolate(
  residents: readonly Resident[],
  machines: readonly MachineRecord[],
  { self, gatewayPorts }: { readonly self: string; readonly gatewayPorts: readonly number[] },
): Isolation {
  const members = residents.flatMap(membersOf);
  const openings = residents.flatMap(({ commit: { namespace, services } }) =>
    Object.entries(services).flatMap(([service, { spec }]): Opening[] =>
      spec.allowFrom === undefined ? [] : [{ namespace, service, entries: spec.allowFrom }],
    ),
  );
  const groupOf = (member: Member) => groupName(member, openings);
  const viewOf = (member: Member) => `${groupOf(member)} ${member.operation ?? ""}`;
  const isOpen = (target: Pick<Member, "namespace" | "service">, { namespace, service, of }: Member) =>
    openings.some(
      (opening) =>
        opening.namespace === target.namespace &&
        opening.service === target.service &&
        opening.entries.some((entry) => allows(entry, namespace, of ?? service)),
    );
  const byAddress = new Map(members.map((member) => [member.address, member]));
  const groups = new Map<string, { readonly member: Member; readonly from: string[] }>();
  for (const member of members) {
    if (member.machine !== self) continue;
    const key = groupOf(member);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { member, from: [member.address] });
    else group.from.push(member.address);
  }
  const reach = (member: Member) =>
    members
      .filter((other) => other.namespace === member.namespace || isOpen(other, member))
      .map(({ address }) => address);
  const routed = (kind: "tcp" | "udp") =>
    residents.flatMap(({ commit }) =>
      commit.routes.flatMap((route) => (route.kind === kind ? [route.listen] : [])),
    );
  return {
    policy: {
      groups: [...groups.values()].map(({ member, from }) => ({ from, to: reach(member) })),
      machines: publicAddresses(machines),
      gatewayPorts: [...gatewayPorts, ...routed("tcp")],
      udpPorts: routed("udp"),
    },
    views: {
      of(address) {
        const member = byAddress.get(address);
        return member && viewOf(member);
      },
      records(view) {
        const asker = members.find((member) => viewOf(member) === view);
        const visible = residents.flatMap((resident) => {
          const { namespace } = resident.commit;
          if (asker === undefined) return [];
          if (namespace === asker.namespace) return servicesOf(resident, asker.operation);
          return servicesOf(resident, undefined).filter(({ service }) =>
            isOpen({ namespace, service }, asker),
          );
        });
        return { services: visible, machines: machines.map(({ id, address }) => ({ name: id, address })) };
      },
    },
  };
}

/** The names of a namespace. A candidate finds its operation's ready candidates in place of what they replace. */
export function servicesOf({ commit, candidates }: Resident, operation: string | undefined): Services {
  const own = candidates !== undefined && candidates.operation === operation ? candidates : undefined;
  const ready = own?.instances.filter((candidate) => candidate.ready) ?? [];
  const names = new Set([...Object.keys(commit.services), ...ready.map(({ service }) => service)]);
  return [...names].map((service) => {
    const started = ready.filter((candidate) => candidate.service === service);
    const committed = commit.instances.filter((instance) => instance.service === service);
    const staying =
      started.length === 0 ? committed : committed.filter(({ id }) => !own?.leaving.includes(id));
    const instances = [...staying, ...started.filter(({ id }) => !staying.some((other) => other.id === id))];
    return {
      ...{ namespace: commit.namespace, service },
      instances: instances.map(({ id, slot, address, ports }) => ({
        id,
        slot: String(slot),
        address,
        ports,
      })),
    };
  });
}

function membersOf({ commit, candidates, guests = [], running = [] }: Resident): readonly Member[] {
  const { namespace } = commit;
  const committed = new Set(commit.instances.map(({ id }) => id));
  const starting = candidates?.instances.filter(({ id }) => !committed.has(id)) ?? [];
  return [
    // A canary reaches what its service reaches.
    ...[...commit.instances, ...guests, ...running].map(({ service, address, machine }) => ({
      ...{ namespace, service, address, machine },
      ...(commit.services[service]?.canary && { of: commit.services[service].canary.of }),
    })),
    ...starting.map(({ service, address, machine }) => ({
      ...{ namespace, service, address, machine },
      operation: candidates?.operation ?? "",
    })),
  ];
}

/** Services of a namespace form one group, except those that some `allow_from` names. */
function groupName({ namespace, of, ...member }: Member, openings: readonly Opening[]): string {
  const service = of ?? member.service;
  const named = openings.some(({ entries }) =>
    entries.some((entry) => entry.endsWith(`:${service}`) && allows(entry, namespace, service)),
  );
  return named ? `${namespace}:${service}` : namespace;
}

function publicAddresses(machines: readonly MachineRecord[]): readonly string[] {
  const hosts = machines.flatMap(({ endpoints }) =>
    endpoints.map((endpoint) => endpoint.slice(0, endpoint.lastIndexOf(":"))),
  );
  return [...new Set(hosts.filter((host) => /^\d+(\.\d+){3}$/.test(host)))].sort();
}
