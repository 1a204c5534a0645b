import { formatCidr, parseCidr } from "./cidr.ts";
import type { Peer, PeerStatus } from "./peer.ts";

/** Renders peers for `wg addconf` (wg(8), CONFIGURATION FILE FORMAT). No interface section, so no private key. */
export function renderPeers(peers: readonly Peer[]): string {
  const section = (peer: Peer) =>
    [
      "[Peer]",
      `PublicKey = ${peer.publicKey}`,
      ...(peer.endpoint === undefined ? [] : [`Endpoint = ${peer.endpoint}`]),
      `AllowedIPs = ${peer.allowedIps.join(", ")}`,
      `PersistentKeepalive = ${peer.keepaliveSeconds ?? "off"}`,
      "",
    ].join("\n");
  return peers.map(section).join("\n");
}

/** Reads the peers from the output of `renderPeers` and `wg showconf`; skips the interface section, which holds the key. */
export function parsePeers(text: string): readonly Peer[] {
  const peers: { publicKey: string; endpoint?: string; allowedIps: string[]; keepaliveSeconds?: number }[] =
    [];
  for (const line of text.split("\n")) {
    if (line.trim() === "[Peer]") peers.push({ publicKey: "", allowedIps: [] });
    const peer = peers.at(-1);
    const [, key = "", value = ""] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (peer === undefined) continue;
    if (key === "PublicKey") peer.publicKey = value;
    if (key === "Endpoint") peer.endpoint = value;
    if (key === "AllowedIPs") peer.allowedIps.push(...value.split(/\s*,\s*/).filter((item) => item !== ""));
    if (key === "PersistentKeepalive" && value !== "off" && value !== "0")
      peer.keepaliveSeconds = Number(value);
  }
  return peers;
}

export interface PeerChanges {
  /** New peers. */
  readonly added: readonly Peer[];
  /** Live peers that differ. */
  readonly changed: readonly Peer[];
  /** Public keys of live peers that are not wanted. */
  readonly removed: readonly string[];
}

/**
 * Computes the changes that turn the live peers into the wanted ones; matching peers are not touched, so their traffic is not interrupted.
 * `applied` holds the last configured endpoint per public key: while the wanted endpoint stays the same, an endpoint to which a peer has
 * roamed is kept.
 */
export function peerChanges(
  live: readonly PeerStatus[],
  wanted: readonly Peer[],
  applied: Readonly<Record<string, string>>,
): PeerChanges {
  const present = new Map(live.map((peer) => [peer.publicKey, peer]));
  const keys = new Set(wanted.map(({ publicKey }) => publicKey));
  const added: Peer[] = [];
  const changed: Peer[] = [];
  for (const peer of wanted) {
    const now = present.get(peer.publicKey);
    if (now === undefined) {
      added.push(peer);
      continue;
    }
    const { endpoint, ...rest } = peer;
    const keepsEndpoint =
      endpoint === undefined ||
      now.endpoint === endpoint ||
      (now.endpoint !== undefined && applied[peer.publicKey] === endpoint);
    const same =
      now.keepaliveSeconds === peer.keepaliveSeconds &&
      networks(now.allowedIps) === networks(peer.allowedIps);
    if (!same || !keepsEndpoint) changed.push(keepsEndpoint ? rest : peer);
  }
  return { added, changed, removed: [...present.keys()].filter((key) => !keys.has(key)) };
}

function networks(allowedIps: readonly string[]): string {
  return allowedIps
    .map((network) => formatCidr(parseCidr(network)))
    .sort()
    .join(",");
}
