import { isIPv4 } from "node:net";
import { run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { NetworkSpec } from "../runtime.ts";
import { networkFailed } from "./apply.ts";
import { tableName } from "./ruleset.ts";
import { zoneOf } from "./udp.ts";

/** The parts of a network that host ports speak of. */
export type HostPortNetwork = Pick<NetworkSpec, "bridge" | "gateway">;

/** A port of this machine that leads to one instance on it. */
export interface PublishedPort {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** IPv4, of this machine; absent: every one but loopback's. */
  readonly address?: string;
  /** IPv4 of the overlay, and the port that the instance listens on. */
  readonly to: { readonly address: string; readonly port: number };
}

/**
 * The host ports as one nft(8) transaction over a table of its own, which outlives its writer. Clients keep their source address. A UDP flow has
 * the zone of its instance, as those of routes do: it is a new one when another instance takes the port, whatever entry it had. Connections of TCP
 * stay where they are until they end. Workloads of the machine have no host ports: they use names.
 */
export function hostPortRuleset(
  { bridge, gateway }: HostPortNetwork,
  ports: readonly PublishedPort[],
): string {
  const table = hostPortTable(bridge);
  const declared = [`table ip ${table}`, `delete table ip ${table}`];
  if (ports.length === 0) return [...declared, ""].join("\n");
  const sorted = [...ports].sort(
    (a, b) => a.port - b.port || (`${a.protocol} ${a.address}` < `${b.protocol} ${b.address}` ? -1 : 1),
  );
  const match = ({ protocol, port, address }: PublishedPort) =>
    `${address === undefined ? "" : `ip daddr ${address} `}${protocol} dport ${port}`;
  const chain = (name: string, lines: readonly string[]) => [
    `  chain ${name} {`,
    ...lines.map((line) => `    ${line}`),
    "  }",
  ];
  const away = [
    "ip daddr 127.0.0.0/8 return",
    "fib daddr type != local return",
    // The name server's.
    `ip daddr ${gateway} udp dport 53 return`,
  ];
  const udp = sorted.filter(({ protocol }) => protocol === "udp");
  return [
    ...declared,
    `table ip ${table} {`,
    ...chain("zones", [
      ...away,
      ...udp.map((one) => `${match(one)} ct original zone set ${zoneOf(one.to.address)}`),
    ]),
    ...chain("to", [
      ...away,
      ...sorted.map((one) => `${match(one)} dnat to ${one.to.address}:${one.to.port}`),
    ]),
    ...chain("arriving", [
      "type filter hook prerouting priority raw; policy accept;",
      `iifname != "${bridge}" jump zones`,
    ]),
    ...chain("leaving", ["type filter hook output priority raw; policy accept;", "jump zones"]),
    ...chain("prerouting", [
      "type nat hook prerouting priority dstnat - 6; policy accept;",
      `iifname != "${bridge}" jump to`,
    ]),
    ...chain("output", ["type nat hook output priority -106; policy accept;", "jump to"]),
    "}",
    "",
  ].join("\n");
}

/**
 * Replaces all host ports of the machine at once. Idempotent. Resolves with the rules as nft(8) prints them: by that a later change shows.
 * @throws PloyzError `network_failed`, `network_invalid`
 */
export async function applyHostPorts(
  network: HostPortNetwork,
  ports: readonly PublishedPort[],
): Promise<string> {
  const wrong = ports
    .flatMap(({ address, to }) => [to.address, address ?? to.address])
    .find((address) => !isIPv4(address));
  if (wrong !== undefined)
    throw new PloyzError({
      code: "network_invalid",
      message: `a host port has ${JSON.stringify(wrong)}, which is not an IPv4 address`,
    });
  await run("nft", ["-f", "-"], { input: hostPortRuleset(network, ports) }).catch((error: unknown) => {
    throw networkFailed("the host ports were not accepted", error);
  });
  const printed = await printedHostPorts(network);
  if ((printed === "") !== (ports.length === 0))
    throw networkFailed("the rules of host ports were changed by another program", undefined);
  return printed;
}

/** The rules that are in effect, as nft(8) prints them; empty without any. */
export async function printedHostPorts({ bridge }: Pick<HostPortNetwork, "bridge">): Promise<string> {
  const { exitCode, stdout } = await run("nft", ["list", "table", "ip", hostPortTable(bridge)], {
    okExitCodes: [0, 1],
  });
  return exitCode === 0 ? stdout : "";
}

const hostPortTable = (bridge: string): string => `${tableName(bridge)}_host`;
