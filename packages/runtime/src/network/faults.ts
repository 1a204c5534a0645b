import { readFile } from "node:fs/promises";
import { run } from "@ployz/exec";
import type { NetworkSpec } from "../runtime.ts";
import { macOf, parseSubnet } from "./addresses.ts";
import { missingForwardRules } from "./apply.ts";
import { isLoaded } from "./loaded.ts";
import { type FilteredNetwork, portTable, ruleset, tableName } from "./ruleset.ts";

/** `mtu`: absent where an engine sets it, by the ports of its bridge. */
type Checked = FilteredNetwork & Partial<Pick<NetworkSpec, "mtu">>;

/** How the machine differs from what `ensureNetwork` makes of it, one line each; empty when it does not. Changes nothing. */
export async function networkFaults(
  network: Checked,
  controlPorts: readonly number[],
): Promise<readonly string[]> {
  const { bridge } = network;
  const shown = await run("ip", ["-j", "address", "show", "dev", bridge], { okExitCodes: [0, 1] });
  const [forwarding, proxying] = await Promise.all([
    switchedOn("ip_forward"),
    switchedOn(`conf/${bridge}/proxy_arp_pvlan`),
  ]);
  const table = tableName(bridge);
  const tables = [`inet ${table}`, `bridge ${table}`, `bridge ${portTable(bridge)}`];
  const filter = await isLoaded(ruleset(network, controlPorts), tables, { learned: true });
  const rules = (await missingForwardRules(network)).length;
  return [
    ...bridgeFaults(network, shown.exitCode === 0 ? shown.stdout : "[]"),
    ...(forwarding ? [] : ["ip_forward is off: no packet of an instance leaves the machine"]),
    ...(proxying
      ? []
      : [`proxy_arp_pvlan of ${bridge} is off: instances of this machine do not find each other`]),
    ...(filter ? [] : [`the packet filter of ${bridge} is missing or changed`]),
    ...(rules === 0
      ? []
      : [`FORWARD drops what it does not know, and ${rules} rules that accept instances are missing`]),
  ];
}

/** From `ip -j address show dev BRIDGE`. Pure. */
export function bridgeFaults({ bridge, gateway, subnet, mtu }: Checked, json: string): readonly string[] {
  const [link] = JSON.parse(json.trim() || "[]") as readonly {
    readonly mtu: number;
    readonly address: string;
    readonly flags: readonly string[];
    readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
  }[];
  if (link === undefined) return [`bridge ${bridge} is missing`];
  const { prefix } = parseSubnet(subnet);
  const own = link.addr_info?.some(({ local, prefixlen }) => local === gateway && prefixlen === prefix);
  return [
    ...(link.flags.includes("UP") ? [] : [`bridge ${bridge} is down`]),
    ...(own ? [] : [`bridge ${bridge} does not have the address ${gateway}/${prefix}`]),
    ...(link.address === macOf(gateway)
      ? []
      : [`bridge ${bridge} has MAC ${link.address}, not ${macOf(gateway)}`]),
    ...(mtu === undefined || link.mtu === mtu ? [] : [`bridge ${bridge} has MTU ${link.mtu}, not ${mtu}`]),
  ];
}

async function switchedOn(name: string): Promise<boolean> {
  const text = await readFile(`/proc/sys/net/ipv4/${name}`, "utf8").catch(() => "0");
  return text.trim() === "1";
}
