import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellWord } from "@ployz/exec";
import { renderPeers } from "./config.ts";
import { wantedRoutes } from "./device.ts";
import { routeChanges } from "./links.ts";
import type { Peer } from "./peer.ts";

export interface Tunnel {
  readonly name: string;
  /** `10.101.3.1/32`. */
  readonly address: string;
  readonly port: number;
  readonly mtu: number;
  readonly privateKeyFile: string;
  readonly peers: readonly Peer[];
}

export const tunnelScriptPath = (dir: string, name: string): string => join(dir, `${name}.sh`);

/**
 * What the supervisor runs in place of a bare wireguard-go, with the program as its only argument. The interface lives and dies with wireguard-go, so
 * whoever starts it again must give the interface its key, peers, address and routes; this does, and needs nobody else to run.
 * All of it may be done twice, for `converge` does the same at the same time. Peers are only ever added here.
 */
export function renderTunnelScript(tunnel: Tunnel): string {
  const { name, address, port, mtu, privateKeyFile, peers } = tunnel;
  const wanted = { address, mtu };
  const routes = ([4, 6] as const).map((family) => ({
    family,
    lines: routeChanges(name, [], wantedRoutes(peers, wanted, family)),
  }));
  const word = shellWord;
  return [
    "#!/bin/sh",
    `# Runs wireguard-go for ${name} and gives the new interface what it should have. Written by Ployz whenever that changes.`,
    "configure() {",
    "  tries=0",
    `  until wg show ${name} >/dev/null 2>&1; do`,
    "    tries=$((tries + 1))",
    `    [ "$tries" -le 200 ] || { echo "wireguard-go has made no ${name}"; exit 1; }`,
    "    sleep 0.05",
    "  done",
    `  wg set ${name} listen-port ${port} private-key ${word(privateKeyFile)}`,
    ...(peers.length === 0
      ? []
      : [`  wg addconf ${name} /dev/stdin <<'PEERS'`, renderPeers(peers).trimEnd(), "PEERS"]),
    `  ip addr replace ${address} dev ${name}`,
    `  ip link set dev ${name} mtu ${mtu} up`,
    ...routes.flatMap(({ family, lines }) =>
      lines.length === 0 ? [] : [`  ip -${family} -force -batch - <<'ROUTES'`, ...lines, "ROUTES"],
    ),
    "}",
    // Not a child of wireguard-go, which would never collect its exit code.
    "(configure &)",
    `exec "$1" -f ${name}`,
    "",
  ].join("\n");
}

/** Whole or not at all: a shell may be reading the one before. */
export async function writeTunnelScript(dir: string, tunnel: Tunnel): Promise<string> {
  const path = tunnelScriptPath(dir, tunnel.name);
  await writeFile(`${path}.new`, renderTunnelScript(tunnel), { mode: 0o700 });
  await rename(`${path}.new`, path);
  return path;
}
