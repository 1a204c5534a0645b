/** Ports of a machine, by their use: no route may listen on them. */
export type KeptPorts = Readonly<Record<string, readonly number[]>>;

/**
 * The list with the ports of the default configuration; a machine reports its own. The store's two generations take turns: each has a
 * client port, +2000 between servers, and a monitor. WireGuard's is UDP, but an operator should not have to know that.
 */
export const KEPT_PORTS = {
  SSH: [22],
  DNS: [53],
  "the gateway": [80, 443],
  "the store": [4222, 4232, 6222, 6232, 8222, 8232],
  transfers: [4319],
  WireGuard: [51820],
  "machines that join": [51821],
  metrics: [9464],
} as const satisfies KeptPorts;

/** The name server is on the overlay's addresses, where no route takes its packets away. */
const UDP_SHARED = "DNS" satisfies keyof typeof KEPT_PORTS;

export const keptFor = (
  kind: "tcp" | "udp",
  port: number,
  ports: KeptPorts = KEPT_PORTS,
): string | undefined =>
  Object.keys(ports).find(
    (use) => ports[use]?.includes(port) === true && !(kind === "udp" && use === UDP_SHARED),
  );
