import { access, readFile, writeFile } from "node:fs/promises";
import { ExecError, run } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { NetworkSpec } from "../runtime.ts";
import { macOf, parseSubnet } from "./addresses.ts";
import { type FilteredNetwork, forwardRules, portTable, ruleset, tableName } from "./ruleset.ts";

/** Makes the bridge if it is missing, and gives it the gateway's address and the MTU (ip-link(8), ip-address(8)). */
export async function ensureBridge(network: NetworkSpec): Promise<void> {
  const { bridge, mtu } = network;
  if (!(await linkExists(bridge))) {
    await run("ip", ["link", "add", "name", bridge, "type", "bridge", "forward_delay", "0"]).catch(
      async (error: unknown) => {
        if (!(await linkExists(bridge))) throw networkFailed(`bridge ${bridge} could not be made`, error);
      },
    );
  }
  await disableIpv6(bridge);
  await answerForNeighbours(bridge);
  await addressBridge(network, `mtu ${mtu}`);
}

/**
 * Gives the bridge the gateway's address and a MAC made from it, and brings it up. Without a MAC of its own a bridge takes the lowest one of its ports, and
 * with a port that comes or goes another one: instances then send to a MAC that the bridge had. `more`: further settings of ip-link(8).
 */
export async function addressBridge(
  { bridge, gateway, subnet }: Pick<NetworkSpec, "bridge" | "gateway" | "subnet">,
  more = "",
): Promise<void> {
  const { prefix } = parseSubnet(subnet);
  // Setting it again would empty the bridge's ARP table.
  const { stdout } = await run("ip", ["-br", "link", "show", "dev", bridge], { okExitCodes: [0, 1] });
  const mac = stdout.includes(` ${macOf(gateway)} `) ? "" : `address ${macOf(gateway)}`;
  const lines = [
    `address replace ${gateway}/${prefix} dev ${bridge}`,
    `link set dev ${bridge} ${mac} ${more} up`,
  ];
  await run("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` }).catch((error: unknown) => {
    throw networkFailed(`bridge ${bridge} could not be given ${gateway}/${prefix}`, error);
  });
}

/** Forwarding, masquerade, anti-spoofing and the guard of the control ports. Replaces the old rules atomically. */
export async function ensureFilter(network: NetworkSpec, controlPorts: readonly number[]): Promise<void> {
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
  await run("nft", ["-f", "-"], { input: ruleset(network, controlPorts) }).catch((error: unknown) => {
    throw networkFailed(`the packet filter of ${network.bridge} was not accepted`, error);
  });
  for (const rule of await missingForwardRules(network)) await run("iptables", ["-w", "-I", ...rule]);
}

/** The rules that FORWARD lacks, each with its chain; none when its policy accepts. */
export async function missingForwardRules(network: FilteredNetwork): Promise<readonly (readonly string[])[]> {
  const chain = await forwardChain();
  if (chain === undefined) return [];
  const missing: (readonly string[])[] = [];
  for (const rule of forwardRules(network)) {
    const there = await run("iptables", ["-w", "-C", chain, ...rule], { okExitCodes: [0, 1] });
    if (there.exitCode !== 0) missing.push([chain, ...rule]);
  }
  return missing;
}

export async function removeFilter(network: NetworkSpec): Promise<void> {
  const table = tableName(network.bridge);
  const tables = [
    `inet ${table}`,
    `inet ${table}_policy`,
    `ip ${table}_udp`,
    `ip ${table}_host`,
    `bridge ${table}`,
    `bridge ${portTable(network.bridge)}`,
  ];
  const input = tables.map((name) => `table ${name}\ndelete table ${name}\n`).join("");
  await run("nft", ["-f", "-"], { input });
  for (const chain of ["DOCKER-USER", "FORWARD"]) {
    for (const rule of forwardRules(network)) {
      // An unknown chain is 1 as well as an unknown rule; without iptables there is nothing to remove.
      await run("iptables", ["-w", "-D", chain, ...rule], { okExitCodes: [0, 1, 2] }).catch(ignoreMissing);
    }
  }
}

export async function removeBridge(network: NetworkSpec): Promise<void> {
  if (!(await linkExists(network.bridge))) return;
  await run("ip", ["link", "delete", "dev", network.bridge]).catch(async (error: unknown) => {
    if (await linkExists(network.bridge)) throw error;
  });
}

/** Of this process's network namespace (proc_net(5)), without starting a program. */
export async function linkExists(name: string): Promise<boolean> {
  const devices = await readFile("/proc/self/net/dev", "utf8");
  return devices.split("\n").some((line) => line.trimStart().startsWith(`${name}:`));
}

/** Where an ACCEPT has to go for packets to be forwarded at all; `undefined` when the policy accepts them anyway. */
async function forwardChain(): Promise<string | undefined> {
  try {
    const user = await run("iptables", ["-w", "-S", "DOCKER-USER"], { okExitCodes: [0, 1] });
    if (user.exitCode === 0) return "DOCKER-USER";
    const forward = await run("iptables", ["-w", "-S", "FORWARD"], { okExitCodes: [0, 1] });
    return forward.stdout.startsWith("-P FORWARD ACCEPT") || forward.exitCode !== 0 ? undefined : "FORWARD";
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}

async function disableIpv6(link: string): Promise<void> {
  const path = `/proc/sys/net/ipv6/conf/${link}/disable_ipv6`;
  const present = await access(path).then(
    () => true,
    () => false,
  );
  if (present && (await readFile(path, "utf8")).trim() !== "1") await writeFile(path, "1");
}

/**
 * The machine answers ARP for a bridge's own addresses: its ports do not hear each other, and packets between them are routed (ip-sysctl, proxy_arp_pvlan).
 * At once: the kernel's own delay of up to 0.8 s is for several proxies on one link (arp(7), proxy_delay).
 */
export async function answerForNeighbours(bridge: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/proxy_arp_pvlan`, "1");
  await writeFile(`/proc/sys/net/ipv4/neigh/${bridge}/proxy_delay`, "0");
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ExecError && error.code === "exec_not_found")) throw error;
}

export function networkFailed(what: string, cause: unknown): PloyzError {
  const why = cause instanceof ExecError ? `: ${cause.stderr.trim().split("\n").at(-1) ?? ""}` : "";
  return new PloyzError(
    {
      code: "network_failed",
      message: `${what}${why}`,
      hint: "run as root on a kernel with bridge and nftables",
    },
    { cause },
  );
}
