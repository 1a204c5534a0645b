import { run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { NetworkSpec } from "../runtime.ts";
import { parseSubnet } from "./addresses.ts";
import { networkFailed } from "./apply.ts";
import { isLoaded } from "./loaded.ts";
import { tableName } from "./ruleset.ts";
import { cameTo } from "./udp.ts";

/** The parts of a network that a policy speaks of. */
export type PolicyNetwork = Pick<NetworkSpec, "bridge" | "subnet" | "gateway" | "clusterCidr">;

/** Who on this machine may open connections to which workload. All are IPv4 addresses of the overlay. */
export interface NetworkPolicy {
  /** Every address in `from` reaches every address in `to`. An address in no group reaches no workload. An address stands in one group only. */
  readonly groups: readonly { readonly from: readonly string[]; readonly to: readonly string[] }[];
  /** Further addresses of the cluster's machines, public ones for instance: closed to workloads like the overlay's. */
  readonly machines: readonly string[];
  /** TCP ports that a workload reaches on every machine: those of the gateway. */
  readonly gatewayPorts: readonly number[];
  /** UDP ports of routes, which a workload reaches on every machine. */
  readonly udpPorts: readonly number[];
}

/**
 * The policy as one nft(8) transaction over a table of its own, which outlives its writer. It judges what leaves a workload of this machine; answers pass by
 * connection tracking, so the receiving side needs no rule. Ports of one bridge do not hear each other (see `ruleset`), so traffic within the
 * machine is forwarded and judged as well.
 */
export function policyRuleset(network: PolicyNetwork, policy: NetworkPolicy): string {
  const { bridge, clusterCidr, subnet } = network;
  const { hostMask } = parseSubnet(subnet);
  const table = policyTable(bridge);
  const groups = policy.groups.filter(({ from }) => from.length > 0);
  const sources = groups.flatMap(({ from }, index) =>
    from.map((address) => `${address} : jump group${index + 1}`),
  );
  const machines = policy.machines.length > 0;
  const ports = [...new Set(policy.gatewayPorts)].sort((a, b) => a - b);
  const udp = [...new Set(policy.udpPorts)].sort((a, b) => a - b);
  const chain = (name: string, lines: readonly (string | false)[]) => [
    `  chain ${name} {`,
    ...lines.filter((line) => line !== false).map((line) => `    ${line}`),
    "  }",
  ];
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...groups.flatMap(({ to }, index) =>
      chain(`group${index + 1}`, [to.length > 0 && `ip daddr ${set(to)} accept`]),
    ),
    // What a workload reaches on a machine, this one or another.
    ...chain("machine", [
      ports.length > 0 && `tcp dport ${set(ports)} accept`,
      udp.length > 0 && `udp dport ${set(udp)} accept`,
      "icmp type echo-request accept",
      "meta l4proto tcp reject with tcp reset",
      "reject with icmp type admin-prohibited",
    ]),
    ...chain("workload", [
      "ct state established,related accept",
      // A UDP route of this machine has put an instance in place of the machine, as the gateway does for TCP.
      ...udp.map((port) => `${cameTo(port)} accept`),
      `ip daddr ${clusterCidr} ip daddr & ${hostMask} == 0.0.0.1 jump machine`,
      machines && `ip daddr ${set(policy.machines)} jump machine`,
      `ip daddr != ${clusterCidr} accept`,
      sources.length > 0 && `ip saddr vmap ${set(sources)}`,
      "meta l4proto tcp reject with tcp reset",
      "reject with icmp type admin-prohibited",
    ]),
    ...chain("forward", [
      "type filter hook forward priority filter - 4; policy accept;",
      `iifname "${bridge}" jump workload`,
    ]),
    ...chain("input", [
      "type filter hook input priority filter - 4; policy accept;",
      `iifname != "${bridge}" accept`,
      "ct state established,related accept",
      `ip daddr ${network.gateway} meta l4proto { tcp, udp } th dport 53 accept`,
      "jump machine",
    ]),
    "}",
    "",
  ].join("\n");
}

/** Replaces the policy of a bridge at once. Idempotent. @throws PloyzError `network_failed`, `network_invalid` */
export async function applyNetworkPolicy(network: PolicyNetwork, policy: NetworkPolicy): Promise<void> {
  const addresses = [...policy.machines, ...policy.groups.flatMap(({ from, to }) => [...from, ...to])];
  const wrong = addresses.find((address) => !/^\d{1,3}(\.\d{1,3}){3}$/.test(address));
  if (wrong !== undefined) {
    throw new PloyzError({
      code: "network_invalid",
      message: `the network policy has ${JSON.stringify(wrong)}, which is not an IPv4 address`,
    });
  }
  await run("nft", ["-f", "-"], { input: policyRuleset(network, policy) }).catch((error: unknown) => {
    throw networkFailed(`the network policy of ${network.bridge} was not accepted`, error);
  });
}

/** Opens the overlay again: every workload reaches every other. */
export async function removeNetworkPolicy(network: Pick<NetworkSpec, "bridge">): Promise<void> {
  const table = policyTable(network.bridge);
  await run("nft", ["-f", "-"], { input: `table inet ${table}\ndelete table inet ${table}\n` });
}

/** Whether the loaded table is exactly this policy. */
export const isNetworkPolicyLoaded = (network: PolicyNetwork, policy: NetworkPolicy): Promise<boolean> =>
  isLoaded(policyRuleset(network, policy), [`inet ${policyTable(network.bridge)}`]);

/** Whether any policy is loaded for the bridge. */
export async function hasNetworkPolicy(network: Pick<NetworkSpec, "bridge">): Promise<boolean> {
  const { exitCode } = await run("nft", ["list", "table", "inet", policyTable(network.bridge)], {
    okExitCodes: [0, 1],
  });
  return exitCode === 0;
}

const policyTable = (bridge: string): string => `${tableName(bridge)}_policy`;

const set = (elements: readonly (string | number)[]): string => `{ ${elements.join(", ")} }`;
