import type { Commit, HostPort } from "./commit.ts";
import type { Allowed } from "./rights.ts";

/** What a machine allows unless its configuration says otherwise: ports that any user's program may listen on. */
export const DEFAULT_HOST_PORTS: readonly string[] = ["1024-65535"];

/** A port of machines that one service has: a host port on the machine of an instance, or a TCP or UDP route on every machine. */
export type PortClaim = Pick<HostPort, "protocol" | "port" | "address"> & {
  /** Absent: on every machine. */
  readonly machine?: string;
  /** `prod/web`. */
  readonly owner: string;
};

/** As people read it: `TCP port 9000`, or `TCP port 9000 of 192.0.2.1`. */
export const hostPortText = ({ protocol, port, address }: Pick<HostPort, "protocol" | "port" | "address">) =>
  `${protocol.toUpperCase()} port ${port}${address === undefined ? "" : ` of ${address}`}`;

/** Whether both would get the same packets of one machine. */
export const samePort = (
  a: Pick<HostPort, "protocol" | "port" | "address">,
  b: Pick<HostPort, "protocol" | "port" | "address">,
): boolean =>
  a.protocol === b.protocol &&
  a.port === b.port &&
  (a.address === undefined || b.address === undefined || a.address === b.address);

/** The same, of claims that may be of different machines. */
export const clash = (a: PortClaim, b: PortClaim): boolean =>
  samePort(a, b) && (a.machine === undefined || b.machine === undefined || a.machine === b.machine);

/** Host ports of one service's instances. */
export const instanceClaims = (
  owner: string,
  hostPorts: readonly HostPort[] | undefined,
  machines: readonly string[],
): readonly PortClaim[] =>
  (hostPorts ?? []).flatMap(({ protocol, port, address }) =>
    machines.map((machine) => ({
      ...{ protocol, port, machine, owner },
      ...(address !== undefined && { address }),
    })),
  );

/** Every port of machines that a namespace has. */
export const claimsOf = ({
  namespace,
  services,
  instances,
  routes,
}: Pick<Commit, "namespace" | "services" | "instances" | "routes">): readonly PortClaim[] => [
  ...routes.flatMap((route): PortClaim[] =>
    route.kind === "http"
      ? []
      : [{ protocol: route.kind, port: route.listen, owner: `${namespace}/${route.service}` }],
  ),
  ...Object.entries(services).flatMap(([name, { spec }]) =>
    instanceClaims(
      `${namespace}/${name}`,
      spec.hostPorts,
      instances.flatMap(({ service, machine }) => (service === name ? [machine] : [])),
    ),
  ),
];

/** Why a machine does not publish one of these ports, and the line of its configuration that would allow it. */
export function forbiddenHostPort(
  hostPorts: readonly Pick<HostPort, "protocol" | "port">[],
  { hostPorts: allowed = [] }: Pick<Allowed, "hostPorts">,
): string | undefined {
  const missing = hostPorts.find(
    ({ protocol, port }) => !allowed.some((entry) => covers(entry, protocol, port)),
  );
  if (missing === undefined) return undefined;
  const entry = `${missing.port}/${missing.protocol}`;
  const values = [...allowed, entry].map((value) => JSON.stringify(value));
  return `does not allow host_ports ${entry}: its configuration would with policy.host_ports = [${values.join(", ")}]`;
}

/** `entry`: `1024-65535`, `25` or `53/udp`. */
function covers(entry: string, protocol: string, port: number): boolean {
  const [range = "", only] = entry.split("/");
  const [first = "", last = first] = range.split("-");
  return Number(first) <= port && port <= Number(last) && (only === undefined || only === protocol);
}
