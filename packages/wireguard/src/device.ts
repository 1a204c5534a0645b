import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExecError, run } from "@ployz/exec";
import { formatCidr, parseCidr } from "./cidr.ts";
import { type PeerChanges, renderPeers } from "./config.ts";
import { type DeviceDump, parseDump, parseHandshakes } from "./dump.ts";
import { PloyzError } from "./error-codes.ts";
import {
  type DeviceRoute,
  type Link,
  parseDeviceRoutes,
  parseLink,
  ROUTE_PROTOCOL,
  routeChanges,
} from "./links.ts";
import type { Peer } from "./peer.ts";

/** The interface as ip(8) reports it; `undefined` when it does not exist. */
export async function readLink(name: string): Promise<Link | undefined> {
  const result = await run("ip", ["-j", "-d", "addr", "show", "dev", name], { okExitCodes: [0, 1] });
  if (result.exitCode === 0) return parseLink(result.stdout);
  if (/does not exist/.test(result.stderr)) return undefined;
  throw new PloyzError({
    code: "interface_unreadable",
    message: `ip cannot show ${name}: ${result.stderr.trim()}`,
  });
}

/** The device as wg(8) reports it; `undefined` when nothing answers for it (no interface, or wireguard-go is dead). */
export async function readDump(name: string): Promise<DeviceDump | undefined> {
  const result = await run("wg", ["show", name, "dump"], { okExitCodes: [0, 1] });
  return result.exitCode === 0 ? parseDump(result.stdout) : undefined;
}

export async function readHandshakes(name: string): Promise<ReadonlyMap<string, number>> {
  return parseHandshakes((await run("wg", ["show", name, "latest-handshakes"])).stdout);
}

/** wg reads the key from its file; the key is never an argument. */
export async function setKeyAndPort(name: string, privateKeyFile: string, port: number): Promise<void> {
  await explainPort(
    port,
    run("wg", ["set", name, "listen-port", String(port), "private-key", privateKeyFile]),
  );
}

/** Sets the address (and removes others) and the MTU, and brings the interface up, which binds the port. */
export async function configureLink(
  name: string,
  link: Link,
  wanted: { readonly address: string; readonly mtu: number; readonly port: number },
): Promise<readonly string[]> {
  const changes: string[] = [];
  if (!link.addresses.includes(wanted.address)) {
    await run("ip", ["addr", "replace", wanted.address, "dev", name]);
    changes.push(`address ${wanted.address}`);
  }
  for (const stale of link.addresses.filter((address) => address !== wanted.address)) {
    await run("ip", ["addr", "del", stale, "dev", name]);
    changes.push(`removed address ${stale}`);
  }
  if (!link.up || link.mtu !== wanted.mtu) {
    await explainPort(wanted.port, run("ip", ["link", "set", "dev", name, "mtu", String(wanted.mtu), "up"]));
    changes.push(`up with mtu ${wanted.mtu}`);
  }
  return changes;
}

/** Sets peers with `wg addconf`, which does not touch other peers. */
export async function applyPeers(name: string, dir: string, changes: PeerChanges): Promise<void> {
  const written = [...changes.added, ...changes.changed];
  if (changes.removed.length > 0) {
    await run("wg", ["set", name, ...changes.removed.flatMap((key) => ["peer", key, "remove"])]);
  }
  if (written.length === 0) return;
  // Use a file: Node's stdin is a socket pair, which cannot be opened as /dev/stdin.
  const file = join(dir, `${name}.peers.conf`);
  try {
    await writeFile(file, renderPeers(written), { mode: 0o600 });
    await run("wg", ["addconf", name, file]);
  } finally {
    await rm(file, { force: true });
  }
}

/** One route per allowed network of a family, with the machine's address as source, so that the peer can reply. */
export function wantedRoutes(
  peers: readonly Peer[],
  { address, mtu }: { readonly address: string; readonly mtu: number },
  family: 4 | 6,
): readonly DeviceRoute[] {
  const [source = ""] = address.split("/");
  const own = parseCidr(address).family;
  return peers
    .flatMap((peer) => peer.allowedIps.map(parseCidr))
    .filter((network) => network.family === family)
    .map((network) => ({
      destination: formatCidr(network),
      mtu,
      ...(family === own && { source }),
    }));
}

export async function syncRoutes(
  name: string,
  peers: readonly Peer[],
  wanted: { readonly address: string; readonly mtu: number },
): Promise<readonly string[]> {
  const changes: string[] = [];
  for (const family of [4, 6] as const) {
    const shown = await run("ip", [
      "-j",
      `-${family}`,
      "route",
      "show",
      "dev",
      name,
      "proto",
      String(ROUTE_PROTOCOL),
    ]);
    const routes = wantedRoutes(peers, wanted, family);
    const lines = routeChanges(name, parseDeviceRoutes(shown.stdout, family), routes);
    if (lines.length === 0) continue;
    await run("ip", [`-${family}`, "-batch", "-"], { input: `${lines.join("\n")}\n` });
    changes.push(...lines);
  }
  return changes;
}

async function explainPort(port: number, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ExecError) || !/address (already )?in use/i.test(error.stderr)) throw error;
    throw new PloyzError(
      {
        code: "port_in_use",
        message: `another program uses UDP port ${port}`,
        hint: `find the program: ss -lunp 'sport = :${port}'; or set wireguard_port to a free one`,
      },
      { cause: error },
    );
  }
}
