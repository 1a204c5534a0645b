import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import {
  clientAddress,
  labNetns,
  machineAddress,
  machineMac,
  machineName,
  machineNetns,
  portMac,
} from "./names.ts";

/**
 * One network namespace per lab holds a bridge with a port per machine. It has no uplink: the bridge is also the
 * machines' default gateway, and answers "unreachable" at once for every other address.
 */

const bridge = "br0";
const table = "lab";
const netnsDir = "/run/netns";

const ip = (netns: string, ...args: readonly string[]) => run("ip", ["-n", netns, ...args]);
const batch = (netns: string, lines: readonly string[]) =>
  run("ip", ["-n", netns, "-batch", "-"], { input: `${lines.join("\n")}\n` });
const nft = (lab: string, rules: string) =>
  run("nsenter", [`--net=${join(netnsDir, labNetns(lab))}`, "nft", "-f", "-"], { input: rules });

export async function makeLabNetwork(lab: string): Promise<void> {
  const netns = labNetns(lab);
  await run("ip", ["netns", "add", netns]);
  await batch(netns, [
    "link set lo up",
    `link add ${bridge} type bridge`,
    `addr add ${clientAddress(lab)}/24 dev ${bridge}`,
    `link set ${bridge} up`,
  ]);
  await run("nsenter", [`--net=${join(netnsDir, netns)}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  await nft(
    lab,
    `add table bridge ${table}\nadd chain bridge ${table} cut { type filter hook forward priority 0; }\n`,
  );
}

/** Connects a machine: its network namespace with eth0, and a port of the bridge. */
export async function plug(lab: string, index: number): Promise<void> {
  const netns = machineNetns(lab, index);
  const port = machineName(index);
  await run("ip", ["netns", "add", netns]);
  const peer = ["peer", "name", "eth0", "address", machineMac(lab, index), "netns", netns];
  await ip(labNetns(lab), "link", "add", port, "address", portMac(lab, index), "type", "veth", ...peer);
  await ip(labNetns(lab), "link", "set", port, "master", bridge, "up");
  await batch(netns, [
    "link set lo up",
    `addr add ${machineAddress(lab, index)}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${clientAddress(lab)}`,
  ]);
}

/** Removes the machine's interfaces, addresses, routes and packet filters, as a power cut does. */
export async function unplug(lab: string, index: number): Promise<void> {
  // Remove the port first: an unnamed namespace keeps its end until the kernel cleans up.
  if (await exists(join(netnsDir, labNetns(lab)))) {
    await run("ip", ["-n", labNetns(lab), "link", "del", machineName(index)], { okExitCodes: [0, 1] });
  }
  await removeNetns(machineNetns(lab, index));
}

/** Removes every network namespace of the lab, also of an incomplete one. */
export async function removeNetworks(lab: string): Promise<void> {
  const names = (await exists(netnsDir)) ? await readdir(netnsDir) : [];
  const own = names.filter((name) => name === labNetns(lab) || name.startsWith(`${labNetns(lab)}.`));
  for (const name of own.sort().reverse()) await removeNetns(name);
}

async function removeNetns(name: string): Promise<void> {
  if (await exists(join(netnsDir, name))) await run("ip", ["netns", "del", name]);
}

/**
 * Drops every IP packet between two machines, both ways, on the bridge: neither the machines' own packet filters nor a power cycle heal it.
 * ARP still passes, so packets are lost as on a broken route.
 */
export async function partition(lab: string, a: number, b: number): Promise<void> {
  const [one, two] = [machineMac(lab, a), machineMac(lab, b)];
  const rule = (from: string, to: string) =>
    `add rule bridge ${table} cut ether saddr ${from} ether daddr ${to} ether type { ip, ip6 } drop\n`;
  await nft(lab, rule(one, two) + rule(two, one));
}

/** Loses this share of the IP packets that a machine sends to others, until `heal`. */
export async function lose(lab: string, index: number, percent: number): Promise<void> {
  await nft(
    lab,
    `add rule bridge ${table} cut ether saddr ${machineMac(lab, index)} ether type { ip, ip6 } numgen random mod 100 < ${percent} drop\n`,
  );
}

export async function heal(lab: string): Promise<void> {
  await nft(lab, `flush chain bridge ${table} cut\n`);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
