import type { NetworkSpec } from "../runtime.ts";
import { macOf, parseSubnet } from "./addresses.ts";

/** The parts of a network that its filter speaks of. */
export type FilteredNetwork = Omit<NetworkSpec, "mtu">;

/**
 * The packet filter of one bridge, as one nft(8) transaction: the table is declared, deleted and created again, so that it is
 * replaced without a moment in between. The spec must have passed `checkNetwork`, and ports are numbers: nothing needs quoting.
 *
 * A "machine address" is the first host of a machine's subnet; all machines of a cluster have the same prefix length, so
 * one comparison of the host bits tells machines and workloads apart.
 */
export function ruleset(network: FilteredNetwork, controlPorts: readonly number[]): string {
  const { bridge, subnet, gateway, clusterCidr } = network;
  const { hostMask } = parseSubnet(subnet);
  const machine = (side: "saddr" | "daddr", operator: "==" | "!=") =>
    `ip ${side} ${clusterCidr} ip ${side} & ${hostMask} ${operator} 0.0.0.1`;
  const control = `tcp dport { ${controlPorts.join(", ")} }`;
  const reject = "reject with tcp reset";
  const guarded = controlPorts.length > 0;
  const chain = (name: string, hook: string, rules: readonly (string | false)[]) => [
    `  chain ${name} {`,
    `    type ${hook}; policy accept;`,
    ...rules.filter((rule) => rule !== false).map((rule) => `    ${rule}`),
    "  }",
  ];
  const table = tableName(bridge);
  const ports = portTable(bridge);
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...chain("antispoof", "filter hook prerouting priority raw", [
      // The overlay is IPv4 only; a link-local IPv6 address would be a way around every rule below.
      `iifname "${bridge}" meta nfproto ipv6 drop`,
      `iifname "${bridge}" ip saddr != ${subnet} drop`,
      `iifname "${bridge}" ip saddr ${gateway} drop`,
    ]),
    ...chain("input", "filter hook input priority filter - 5", [
      guarded && `iifname "${bridge}" ${control} ${reject}`,
      guarded && `iifname != { "lo", "${bridge}" } ${machine("saddr", "!=")} ${control} ${reject}`,
    ]),
    ...chain("forward", "filter hook forward priority filter - 5", [
      guarded && `iifname "${bridge}" ${machine("daddr", "==")} ${control} ${reject}`,
      `ip saddr ${clusterCidr} ip daddr ${clusterCidr} accept`,
    ]),
    // Packets between two instances here come back by the way they came; clients need not learn of it.
    ...chain("output", "filter hook output priority filter - 5", [
      `oifname "${bridge}" icmp type redirect drop`,
    ]),
    ...chain("postrouting", "nat hook postrouting priority srcnat", [
      `ip saddr ${subnet} ip daddr != ${clusterCidr} oifname != "${bridge}" masquerade`,
    ]),
    "}",
    // Ports of the bridge do not hear each other: no neighbour's address can be taken by ARP, and packets between two instances of one machine
    // are forwarded by the machine, where the policy judges them. By address: `meta ibrname` is missing in some kernels.
    `table bridge ${table}`,
    `delete table bridge ${table}`,
    `table bridge ${table} {`,
    ...chain("apart", "filter hook forward priority filter", [
      `ip protocol udp meta mark & ${UDP_ROUTED} == ${UDP_ROUTED} accept`,
      // To its neighbours or to all of them: broadcasts and multicasts too.
      `ip saddr ${subnet} drop`,
      `ip daddr ${subnet} drop`,
      `arp saddr ip ${subnet} drop`,
      `arp daddr ip ${subnet} drop`,
    ]),
    "}",
    // A port keeps the address and the MAC that it first sends with, until it is gone or silent for a day: no frame of an instance carries
    // another's. The sets outlive a replacement of the rules. By interface index: no new port has an earlier one's.
    `table bridge ${ports} {`,
    `  set pinned { type iface_index . ether_addr . ipv4_addr; ${LEARNED} }`,
    `  set macs { type iface_index . ether_addr; ${LEARNED} }`,
    `  set held { type iface_index; ${LEARNED} }`,
    "}",
    `flush table bridge ${ports}`,
    `table bridge ${ports} {`,
    ...pinning(
      "source",
      "iif . ether saddr . ip saddr @pinned",
      "iif . ether saddr . ip saddr",
      "numgen random mod 1024 0 ",
    ),
    ...pinning(
      "announced",
      "iif . ether saddr . arp saddr ip @pinned iif . arp saddr ether . arp saddr ip @pinned",
      "iif . arp saddr ether . arp saddr ip",
    ),
    ...chain("ports", "filter hook prerouting priority dstnat", [
      // To the machine, whichever MAC a packet names: an instance may have learned its neighbour's while no filter was there, or the bridge's earlier one.
      ...["ip saddr", "arp saddr ip"].map(
        (source) =>
          `meta pkttype other ${source} ${subnet} ether daddr set ${macOf(gateway)} meta pkttype set host`,
      ),
      `arp saddr ip ${gateway} drop`,
      `ip saddr ${subnet} jump source`,
      `arp saddr ip ${subnet} jump announced`,
      "iif @held iif . ether saddr != @macs drop",
      `iif @held ip saddr != ${subnet} drop`,
      // The filters above see no IPv6 that stays within the bridge.
      "iif @held ether type != { ip, arp } drop",
    ]),
    "}",
    "",
  ].join("\n");
}

/**
 * The bit of a packet's mark that a UDP route sets: where the kernel has bridge-nf-call-iptables, a datagram from one instance that a route leads to another
 * one of the machine crosses the bridge, after the policy has judged it.
 */
export const UDP_ROUTED = "0x10000000";

export function tableName(bridge: string): string {
  return `ployz_${bridge}`;
}

const LEARNED = "size 65535; flags dynamic,timeout;";

/** A chain that accepts packets that match `right` (their MAC was learned with their address), and learns `triple` from a port that has sent nothing yet. */
function pinning(name: string, right: string, triple: string, often = ""): readonly string[] {
  const day = "timeout 1d";
  const keep = (verb: string) =>
    `${verb} @held { iif ${day} } ${verb} @macs { iif . ether saddr ${day} } ${verb} @pinned { ${triple} ${day} }`;
  return [
    `  chain ${name} {`,
    // Not with each packet of a stream, which would halve the throughput.
    `    ${often}${right} ${keep("update")} accept`,
    ...(often === "" ? [] : [`    ${right} accept`]),
    "    iif @held drop",
    `    ${keep("add")}`,
    "  }",
  ];
}

/** The table that pins addresses to ports. */
export const portTable = (bridge: string): string => `${tableName(bridge)}_ports`;

/** Rules for a machine whose iptables FORWARD policy is DROP (Docker does that): each is `iptables <-I|-C|-D> CHAIN <rule>`. */
export function forwardRules(network: FilteredNetwork): readonly (readonly string[])[] {
  const note = ["-m", "comment", "--comment", `ployz ${network.bridge}`];
  return [
    ["-s", network.clusterCidr, "-d", network.clusterCidr, ...note, "-j", "ACCEPT"],
    ["-i", network.bridge, "-s", network.subnet, ...note, "-j", "ACCEPT"],
    // UDP routes: datagrams of clients, and their answers.
    ...(["-s", "-d"] as const).map((side) => [
      ...["-p", "udp", side, network.clusterCidr, "-m", "conntrack", "--ctstate", "DNAT"],
      ...note,
      ...["-j", "ACCEPT"],
    ]),
    // Host ports: connections to instances of this machine.
    [
      ...["-o", network.bridge, "-p", "tcp", "-d", network.subnet, "-m", "conntrack", "--ctstate", "DNAT"],
      ...note,
      ...["-j", "ACCEPT"],
    ],
    ["-o", network.bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", ...note, "-j", "ACCEPT"],
  ];
}
