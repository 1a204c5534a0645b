import { parseAddress, parseCidr } from "./cidr.ts";
import { PloyzError } from "./error-codes.ts";
import { isKey } from "./keys.ts";

/** A wanted peer. */
export interface Peer {
  readonly publicKey: string;
  /** `address:port` or `[v6]:port`. Without it the peer must send first. Host names are not resolved. */
  readonly endpoint?: string;
  /** Fallbacks, tried in this order while there is no session. */
  readonly fallbacks?: readonly string[];
  /** Networks behind the peer, `10.101.2.0/24`. The first host of the first one is the peer's machine address. */
  readonly allowedIps: readonly string[];
  /** Keeps a NAT mapping open; off when absent. 1 to 65,535 seconds. */
  readonly keepaliveSeconds?: number;
}

/** A peer's live state. */
export interface PeerStatus {
  readonly publicKey: string;
  /** The source of its last packet. */
  readonly endpoint?: string;
  readonly allowedIps: readonly string[];
  /** Epoch milliseconds, to the second. Absent when there was no handshake since the interface came up. */
  readonly latestHandshake?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly keepaliveSeconds?: number;
}

/** Refuses peers that would make the configuration ambiguous or malformed. @throws PloyzError `peer_invalid`, `peer_conflict`. */
export function checkPeers(peers: readonly Peer[], ownPublicKey?: string): void {
  const keys = new Set<string>();
  const networks = new Map<string, string>();
  for (const peer of peers) {
    if (!isKey(peer.publicKey))
      throw invalid(`${JSON.stringify(peer.publicKey)} is not a WireGuard public key`);
    const name = `peer ${peer.publicKey}`;
    if (peer.publicKey === ownPublicKey) throw invalid(`${name} is this machine itself`);
    if (keys.has(peer.publicKey)) throw conflict(`${name} is given twice`);
    keys.add(peer.publicKey);
    for (const endpoint of endpointsOf(peer)) {
      if (parseEndpoint(endpoint) === undefined)
        throw invalid(`${name}: ${JSON.stringify(endpoint.slice(0, 80))} is not an endpoint (address:port)`);
    }
    const keepalive = peer.keepaliveSeconds ?? 1;
    if (!Number.isInteger(keepalive) || keepalive < 1 || keepalive > 65_535) {
      throw invalid(`${name}: a keepalive is 1 to 65535 seconds, not ${keepalive}`);
    }
    for (const network of peer.allowedIps) {
      parseCidr(network);
      if (!network.includes("/")) throw invalid(`${name}: ${network} has no prefix`);
      const other = networks.get(network);
      if (other !== undefined) throw conflict(`${network} belongs to peer ${other} and to ${name}`);
      networks.set(network, peer.publicKey);
    }
  }
}

/** All endpoints of the peer, best first. */
export const endpointsOf = ({ endpoint, fallbacks = [] }: Peer): readonly string[] =>
  endpoint === undefined ? fallbacks : [endpoint, ...fallbacks];

/** The endpoint to try after `present`, round robin; `undefined`: there is no other. */
export function nextEndpoint(peer: Peer, present: string | undefined): string | undefined {
  const all = endpointsOf(peer);
  const next = all[(all.indexOf(present ?? "") + 1) % Math.max(1, all.length)];
  return next === present ? undefined : next;
}

/** Address and port of `address:port` or `[v6]:port`; `undefined` when it is neither. */
export function parseEndpoint(endpoint: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(endpoint);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  const family = parseAddress(address)?.family;
  if (match === null || port < 1 || port > 65_535) return undefined;
  return family === (match[1] === undefined ? 4 : 6) ? { address, port } : undefined;
}

function invalid(message: string): PloyzError {
  return new PloyzError({ code: "peer_invalid", message });
}

function conflict(message: string): PloyzError {
  return new PloyzError({
    code: "peer_conflict",
    message,
    hint: "WireGuard would silently keep only one of them",
  });
}
