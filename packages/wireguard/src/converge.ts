import { mkdir, rm } from "node:fs/promises";
import { ExecError, run, type ServiceHost, waitFor } from "@ployz/exec";
import { peerChanges } from "./config.ts";
import { applyPeers, configureLink, readDump, readLink, setKeyAndPort, syncRoutes } from "./device.ts";
import { PloyzError } from "./error-codes.ts";
import { trigger } from "./handshake.ts";
import type { Link } from "./links.ts";
import { probeWireguard } from "./probe.ts";
import type { InterfaceOptions, InterfaceState } from "./state.ts";
import { type Tunnel, tunnelScriptPath, writeTunnelScript } from "./tunnel-script.ts";

export interface Site {
  readonly name: string;
  readonly dir: string;
  readonly services: ServiceHost | undefined;
  readonly serviceName: string;
}

/** The interface after a call, and what the call changed. */
export interface EnsureResult {
  readonly mode: "kernel" | "userspace";
  readonly publicKey: string;
  /** `unchanged`: adopted without a change. */
  readonly outcome: "created" | "changed" | "unchanged";
  /** The changes made, one line each. */
  readonly changes: readonly string[];
}

const START_TIMEOUT_MS = 15_000;
const SETTLE_TIMEOUT_MS = 3_000;

/** Brings the interface to the wanted state from any state: missing, live, or left over from a dead process. */
export async function converge(
  site: Site,
  wanted: InterfaceState & { readonly options: InterfaceOptions; readonly publicKey: string },
): Promise<EnsureResult> {
  const { options, publicKey } = wanted;
  const settings = { address: options.address, mtu: options.mtu ?? 1420, port: options.listenPort };
  const tunnel: Tunnel = {
    ...settings,
    name: site.name,
    privateKeyFile: options.privateKeyFile,
    peers: wanted.peers,
  };
  const { link, created } = await liveLink(site, tunnel);
  // Write the state before changing peers: a wireguard-go that starts meanwhile then loads the new peers.
  if (link.kind === "tun" && !created) await writeTunnelScript(site.dir, tunnel);
  const changes: string[] = created ? [`created ${site.name}`] : [];

  const live = await readDump(site.name);
  if (live?.publicKey !== publicKey || live.listenPort !== options.listenPort) {
    await setKeyAndPort(site.name, options.privateKeyFile, options.listenPort);
    changes.push(`key and port ${options.listenPort}`);
  }
  const peers = peerChanges(live?.peers ?? [], wanted.peers, wanted.appliedEndpoints);
  await applyPeers(site.name, site.dir, peers);
  changes.push(
    ...peers.added.map((peer) => `added peer ${peer.publicKey}`),
    ...peers.changed.map((peer) => `changed peer ${peer.publicKey}`),
    ...peers.removed.map((key) => `removed peer ${key}`),
  );
  changes.push(...(await configureLink(site.name, link, settings)));
  changes.push(...(await syncRoutes(site.name, wanted.peers, settings)));
  // A peer that tried this machine before it was configured here waits five seconds until its next attempt: send first.
  await trigger(peers.added.filter((peer) => peer.endpoint !== undefined));
  const outcome = created ? "created" : changes.length > 0 ? "changed" : "unchanged";
  return { mode: link.kind === "wireguard" ? "kernel" : "userspace", publicKey, outcome, changes };
}

async function liveLink(site: Site, tunnel: Tunnel): Promise<{ link: Link; created: boolean }> {
  const found = await settledLink(site);
  if (found === "absent") return { link: await createLink(site, tunnel), created: true };
  if (found !== "dead") return { link: found, created: false };
  if (site.services === undefined || (await site.services.status(site.serviceName)).state !== "running") {
    throw conflict(site.name, "tun");
  }
  await writeTunnelScript(site.dir, tunnel);
  await site.services.restart(site.serviceName);
  return { link: await startedLink(site), created: true };
}

/**
 * Finds what holds the interface name. A tun that does not answer belongs to a wireguard-go that is starting or exiting, which takes
 * milliseconds; after that it is `dead`: wireguard-go hangs, or another program owns the interface.
 */
async function settledLink(site: Site): Promise<Link | "absent" | "dead"> {
  const look = async () => {
    const link = await readLink(site.name);
    if (link === undefined) return "absent" as const;
    if (link.kind === "wireguard") return link;
    if (link.kind !== "tun") throw conflict(site.name, link.kind);
    return (await readDump(site.name)) === undefined ? undefined : link;
  };
  try {
    return await waitFor(`${site.name} to answer or to disappear`, look, { timeoutMs: SETTLE_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof PloyzError && error.code === "deadline_exceeded") return "dead";
    throw error;
  }
}

function conflict(name: string, kind: string): PloyzError {
  return new PloyzError({
    code: "interface_conflict",
    message: `the interface ${name} exists but is not a live WireGuard interface${kind === "" ? "" : ` (${kind})`}`,
    hint: `if no program uses it, remove it: ip link del ${name}`,
  });
}

/** Where wireguard-go listens for wg(8). */
const SOCKETS = "/run/wireguard";

async function createLink(site: Site, tunnel: Tunnel): Promise<Link> {
  const support = await probeWireguard();
  if (support.mode === "none") {
    throw new PloyzError({
      code: "wireguard_unavailable",
      message: `this machine cannot run WireGuard: ${support.reason}`,
      hint: support.hint,
    });
  }
  if (support.mode === "kernel") {
    await ignoring(/file exists/i, run("ip", ["link", "add", "dev", site.name, "type", "wireguard"]));
    return startedLink(site);
  }
  if (site.services === undefined)
    throw new Error("the kernel has no WireGuard: openWireguard needs `services`");
  await mkdir(SOCKETS, { recursive: true, mode: 0o700 });
  await site.services.ensure({
    name: site.serviceName,
    description: `WireGuard interface ${site.name}`,
    argv: ["sh", await writeTunnelScript(site.dir, tunnel), support.program],
    // Without it wireguard-go prints a warning and waits; with 0 it re-executes itself without end.
    env: { WG_PROCESS_FOREGROUND: "1", LOG_LEVEL: "error" },
    restart: "always",
    stopTimeoutMs: 5_000,
    confined: {
      capabilities: ["net_admin"],
      writes: [SOCKETS],
      families: ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"],
      devices: ["/dev/net/tun"],
    },
  });
  return startedLink(site);
}

/** Waits until wireguard-go has created the interface and answers on its socket. */
function startedLink(site: Site): Promise<Link> {
  return waitFor(
    `WireGuard to bring up ${site.name}`,
    async () => ((await readDump(site.name)) === undefined ? undefined : readLink(site.name)),
    { timeoutMs: START_TIMEOUT_MS },
  );
}

export async function removeInterface(site: Site): Promise<void> {
  await site.services?.remove(site.serviceName);
  await rm(tunnelScriptPath(site.dir, site.name), { force: true });
  const link = await readLink(site.name);
  if (link === undefined) return;
  if (link.kind === "wireguard" || (await readDump(site.name)) !== undefined) {
    await ignoring(/cannot find device/i, run("ip", ["link", "del", "dev", site.name]));
  }
  await waitFor(
    `${site.name} to disappear`,
    async () => ((await readLink(site.name)) === undefined ? true : undefined),
    { timeoutMs: 5_000 },
  );
}

async function ignoring(stderr: RegExp, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ExecError) || !stderr.test(error.stderr)) throw error;
  }
}
