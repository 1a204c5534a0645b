import type { Refusal } from "../../engine/types.ts";
import type { Commit, HostPort, Instance, ServiceSpec } from "../../model/commit.ts";
import {
  claimsOf,
  clash,
  forbiddenHostPort,
  hostPortText,
  instanceClaims,
  type PortClaim,
  samePort,
} from "../../model/host-ports.ts";
import { type KeptPorts, keptFor } from "../../model/kept-ports.ts";
import { type Allowed, NOTHING_ALLOWED } from "../../model/rights.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

/** The ports of a machine as placement sees them. */
export type MachinePorts = {
  /** At which its programs listen. */
  readonly listening: Readonly<Record<"tcp" | "udp", readonly number[]>>;
  readonly kept: KeptPorts | undefined;
  /** IPv4 addresses of the machine; absent in versions that do not tell. */
  readonly addresses: readonly string[] | undefined;
  readonly allowed: Allowed;
  /** Of services, the placements so far included. */
  readonly claims: PortClaim[];
};

/** With what the rest of the cluster has. `leaving`: routes that this change may end, whose listeners are the gateways'. */
export const portsOf = (
  { record, observation }: ChangeFacts["machines"][number],
  claims: readonly PortClaim[],
  leaving: readonly PortClaim[],
): MachinePorts => {
  const listening = (protocol: "tcp" | "udp", ports: readonly number[] = []) =>
    ports.filter((port) => !leaving.some((one) => one.protocol === protocol && one.port === port));
  return {
    listening: {
      tcp: listening("tcp", observation?.tcpPorts),
      udp: listening("udp", observation?.udpPorts),
    },
    kept: observation?.keptPorts,
    addresses: observation?.addresses,
    allowed: observation?.allowed ?? NOTHING_ALLOWED,
    claims: claims.filter(({ machine }) => machine === undefined || machine === record.id),
  };
};

/** Why these ports cannot be published on this machine; `undefined` when they can. */
export function unfitHostPorts(wanted: readonly HostPort[], machine: MachinePorts): string | undefined {
  for (const one of wanted) {
    const text = `host_ports: ${hostPortText(one)}`;
    const owner = machine.claims.find((claim) => samePort(claim, one))?.owner;
    if (owner !== undefined) return `${text} is taken by ${owner}`;
    const use = keptFor(one.protocol, one.port) ?? keptFor(one.protocol, one.port, machine.kept);
    if (use !== undefined) return `${text} is kept for ${use}`;
    if (machine.listening[one.protocol].includes(one.port))
      return `${text}: another program listens there, which ss -${one.protocol[0]}lnp 'sport = :${one.port}' shows`;
    if (one.address !== undefined && machine.addresses?.includes(one.address) === false)
      return `host_ports: has no address ${one.address}`;
  }
  return forbiddenHostPort(wanted, machine.allowed);
}

/** Ports of the namespace's own TCP and UDP routes. */
export const routedPorts = ({
  namespace,
  services,
}: Pick<Desired, "namespace" | "services">): readonly PortClaim[] =>
  claimsOf({
    ...{ namespace, services, instances: [] },
    routes: Object.entries(services).flatMap(([service, { spec }]) =>
      spec.routes.map((route) => ({ ...route, service })),
    ),
  });

/** Those of instances that stay. */
export function claimPorts(
  hosts: readonly { readonly id: string; readonly ports: MachinePorts }[],
  owner: string,
  spec: Pick<ServiceSpec, "hostPorts"> | undefined,
  stay: readonly Pick<Instance, "machine">[],
): void {
  for (const { machine } of stay)
    hosts
      .find(({ id }) => id === machine)
      ?.ports.claims.push(...instanceClaims(owner, spec?.hostPorts, [machine]));
}

/** Routes listen on every machine: none may have a port that a service publishes on some machine. */
export function refusePortsOfRoutes(
  { namespace, services }: Pick<Desired, "namespace" | "services">,
  { others }: Pick<ChangeFacts, "others">,
): readonly Refusal[] {
  const own = Object.entries(services).flatMap(([name, { spec }]) =>
    (spec.hostPorts ?? []).map((port): PortClaim => ({ ...port, owner: `${namespace}/${name}` })),
  );
  const published = [
    ...own,
    ...others.flatMap(({ commit }) => claimsOf(commit).filter(({ machine }) => machine !== undefined)),
  ];
  return Object.entries(services).flatMap(([name, { spec }]) =>
    spec.routes.flatMap((route): readonly Refusal[] => {
      if (route.kind === "http") return [];
      const claim: PortClaim = { protocol: route.kind, port: route.listen, owner: `${namespace}/${name}` };
      const taken = published.find((one) => clash(one, claim));
      return taken === undefined ? [] : [refusal(`services.${name}.routes`, claim, taken)];
    }),
  );
}

const refusal = (field: string, mine: PortClaim, taken: PortClaim, when = ""): Refusal => ({
  code: "port_taken",
  message: `${field}: ${hostPortText(mine)} is ${taken.machine === undefined ? "" : `a host port on ${taken.machine} `}of ${taken.owner}${when}`,
  hint: "choose another port, or remove it there first",
  details: { owner: taken.owner },
});

/** Refuses ports of machines that another namespace has taken since the plan was made. `undefined`: the commit takes none. */
export function guardHostPorts(
  commit: Pick<Commit, "namespace" | "services" | "instances" | "routes">,
  { head, others }: ChangeFacts,
): ((heads: readonly Commit[]) => Refusal | undefined) | undefined {
  const added = without(claimsOf(commit), head?.commit);
  if (added.length === 0) return undefined;
  return (heads) => {
    for (const theirs of heads) {
      if (theirs.namespace === commit.namespace) continue;
      const known = others.find((other) => other.commit.namespace === theirs.namespace)?.commit;
      for (const claim of without(claimsOf(theirs), known)) {
        const mine = added.find((one) => clash(one, claim));
        // Two routes are the routes' own guard's.
        if (mine === undefined || (mine.machine === undefined && claim.machine === undefined)) continue;
        const service = mine.owner.split("/")[1];
        return refusal(`services.${service}`, mine, claim, " since the plan was made");
      }
    }
    return undefined;
  };
}

const keyOf = ({ protocol, port, address, machine }: PortClaim): string =>
  [protocol, port, address, machine].join(" ");

function without(claims: readonly PortClaim[], commit: Commit | undefined): readonly PortClaim[] {
  const had = new Set(commit && claimsOf(commit).map(keyOf));
  return claims.filter((claim) => !had.has(keyOf(claim)));
}
