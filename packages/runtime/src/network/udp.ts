import { isIPv4 } from "node:net";
import { run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { NetworkSpec } from "../runtime.ts";
import { networkFailed } from "./apply.ts";
import { tableName, UDP_ROUTED } from "./ruleset.ts";
import { slotsOf } from "./slots.ts";

/** The parts of a network that UDP routes speak of. */
export type UdpNetwork = Pick<NetworkSpec, "bridge" | "gateway" | "clusterCidr">;

/** What comes to a UDP port of this machine goes to one of the servers, by its client's address and port. */
export interface UdpRoute {
  readonly listenPort: number;
  /** None: no instance takes the datagrams, and clients get an ICMP error. */
  readonly servers: readonly UdpServer[];
}

/** An instance, on any machine. */
export interface UdpServer {
  /** IPv4, of the overlay. */
  readonly address: string;
  readonly port: number;
  /** Its part of the flows, beside those of the other servers. Default 1. */
  readonly weight?: number;
}

/** All UDP routes of a machine. */
export interface UdpRoutes {
  /** IPv4 addresses of this machine at which they are served; `0.0.0.0` is every one. */
  readonly addresses: readonly string[];
  readonly routes: readonly UdpRoute[];
}

/**
 * The routes as one nft(8) transaction over a table of its own, which outlives its writer. Before connection tracking looks at a datagram, its flow
 * gets the zone of the server whose slot it hashes to. A flow that another server takes over is a new one by that, whatever entry it had: without a
 * server, before the route or before its rules were flushed. Answers find the entry in the default zone. The machine's own address is the source
 * that servers see, so answers come back here from every machine.
 */
export function udpRuleset(network: UdpNetwork, { addresses, routes }: UdpRoutes): string {
  const { bridge, gateway, clusterCidr } = network;
  const served = routes
    .filter(({ servers }) => servers.length > 0)
    .sort((a, b) => a.listenPort - b.listenPort);
  const table = udpTable(bridge);
  const declared = [`table ip ${table}`, `delete table ip ${table}`];
  if (served.length === 0 || addresses.length === 0) return [...declared, ""].join("\n");
  const here = addresses.includes("0.0.0.0") ? "fib daddr type local" : `ip daddr ${set(addresses)}`;
  const chain = (name: string, lines: readonly string[]) => [
    `  chain ${name} {`,
    ...lines.map((line) => `    ${line}`),
    "  }",
  ];
  const mark = `meta mark set meta mark | ${UDP_ROUTED}`;
  const ports = served.map(({ listenPort }) => listenPort);
  return [
    ...declared,
    `table ip ${table} {`,
    ...served.flatMap(({ listenPort, servers }) => [
      ...chain(`slots${listenPort}`, [
        `ct original zone set jhash ip saddr . udp sport mod 256 seed 0x${SEED} map ${set(zones(servers))}`,
      ]),
      ...chain(`to${listenPort}`, [
        `iifname "${bridge}" ${mark}`,
        `meta l4proto udp dnat ip to ct original zone map ${set(
          servers.map(({ address, port }) => `${zoneOf(address)} : ${address} . ${port}`),
        )}`,
      ]),
    ]),
    ...(["slots", "to"] as const).flatMap((what) =>
      chain(what, [
        "ip daddr 127.0.0.0/8 return",
        // The name server's.
        ...(ports.includes(DNS) ? [`ip daddr ${gateway} udp dport ${DNS} return`] : []),
        `${here} udp dport vmap ${set(ports.map((port) => `${port} : goto ${what}${port}`))}`,
      ]),
    ),
    ...chain("arriving", ["type filter hook prerouting priority raw; policy accept;", "jump slots"]),
    ...chain("leaving", ["type filter hook output priority raw; policy accept;", "jump slots"]),
    // Datagrams after a flow's first one, and answers.
    ...chain("known", [
      "type filter hook prerouting priority mangle; policy accept;",
      ...ports.map((port) => `iifname "${bridge}" ${cameTo(port)} ${mark}`),
    ]),
    ...chain("prerouting", ["type nat hook prerouting priority dstnat - 5; policy accept;", "jump to"]),
    ...chain("output", ["type nat hook output priority -105; policy accept;", "jump to"]),
    ...chain("postrouting", [
      "type nat hook postrouting priority srcnat - 5; policy accept;",
      ...ports.map((port) => `${cameTo(port)} ip daddr ${clusterCidr} snat to ${gateway}`),
    ]),
    "}",
    "",
  ].join("\n");
}

/**
 * Replaces all UDP routes of the machine at once. Idempotent. Resolves with the rules as nft(8) prints them: by that a later change shows, without
 * the right to load the wanted ones somewhere else. @throws PloyzError `network_failed`, `network_invalid`
 */
export async function applyUdpRoutes(network: UdpNetwork, wanted: UdpRoutes): Promise<string> {
  const addresses = [
    ...wanted.addresses,
    ...wanted.routes.flatMap(({ servers }) => servers.map(({ address }) => address)),
  ];
  const wrong = addresses.find((address) => !isIPv4(address));
  if (wrong !== undefined)
    throw new PloyzError({
      code: "network_invalid",
      message: `a UDP route has ${JSON.stringify(wrong)}, which is not an IPv4 address`,
    });
  const ruleset = udpRuleset(network, wanted);
  await run("nft", ["-f", "-"], { input: ruleset }).catch((error: unknown) => {
    throw networkFailed("the UDP routes were not accepted", error);
  });
  const printed = await printedUdpRoutes(network);
  if ((printed !== "") !== ruleset.includes("{"))
    throw networkFailed("the rules of UDP routes were changed by another program", undefined);
  if (printed !== "") await sendBack(network);
  return printed;
}

/**
 * Lets each port of the bridge carry a frame back to where it came from (`hairpin`, bridge(8)): where the kernel has bridge-nf-call-iptables, the datagram of an
 * instance that a route leads to itself is such a frame. A port that an engine makes for a container does not. Other frames of instances stay apart
 * by the packet filter. @throws PloyzError `network_failed`
 */
export async function sendBack({ bridge }: Pick<UdpNetwork, "bridge">): Promise<void> {
  // 255: no bridge, and so no port.
  const { stdout } = await run("ip", ["-j", "-d", "link", "show", "master", bridge], {
    okExitCodes: [0, 1, 255],
  });
  const ports = JSON.parse(stdout.trim() || "[]") as readonly {
    readonly ifname: string;
    readonly linkinfo?: { readonly info_slave_data?: { readonly hairpin?: boolean } };
  }[];
  const lines = ports
    .filter(({ linkinfo }) => linkinfo?.info_slave_data?.hairpin === false)
    .map(({ ifname }) => `link set dev ${ifname} type bridge_slave hairpin on\n`);
  if (lines.length === 0) return;
  // `-force`: the port of an instance that ends meanwhile keeps none of the others from it.
  await run("ip", ["-force", "-batch", "-"], { input: lines.join(""), okExitCodes: [0, 1] }).catch(
    (error: unknown) => {
      throw networkFailed(`the ports of ${bridge} could not be set`, error);
    },
  );
}

/** The rules that are in effect, as nft(8) prints them; empty without any. */
export async function printedUdpRoutes({ bridge }: Pick<UdpNetwork, "bridge">): Promise<string> {
  const { exitCode, stdout } = await run("nft", ["list", "table", "ip", udpTable(bridge)], {
    okExitCodes: [0, 1],
  });
  return exitCode === 0 ? stdout : "";
}

/** One rule a port: nft 1.0.6 prints sets of them as text that it does not read. */
export const cameTo = (port: number): string =>
  `ct status dnat meta l4proto udp ct original proto-dst ${port}`;

const udpTable = (bridge: string): string => `${tableName(bridge)}_udp`;

/** Of the overlay's address, on which the machine's name server listens. */
const DNS = 53;

/** The same on all machines: a client that comes to another one finds the same server. */
const SEED = "706c6f79";

/** Addresses of one cluster differ in these bits, unless it has more than 65,536 of them; two servers with one zone share their flows' entries. */
export function zoneOf(address: string): number {
  const [, , third = 0, fourth = 0] = address.split(".").map(Number);
  return third * 256 + fourth;
}

function zones(servers: readonly UdpServer[]): readonly string[] {
  const shared = servers.map(({ address, port, weight }) => ({
    key: `${address}:${port}`,
    ...(weight !== undefined && { weight }),
  }));
  return slotsOf(shared).map((server, slot) => `${slot} : ${zoneOf(servers[server]?.address ?? "")}`);
}

const set = (elements: readonly (string | number)[]): string => `{ ${elements.join(", ")} }`;
