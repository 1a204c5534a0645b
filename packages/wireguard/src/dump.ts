import type { PeerStatus } from "./peer.ts";

export interface DeviceDump {
  /** Absent while the interface has no key. */
  readonly publicKey?: string;
  readonly listenPort: number;
  readonly peers: readonly PeerStatus[];
}

/**
 * Parses `wg show IF dump` (wg(8)): tab-separated, the first line is the interface (private key, public key, port, fwmark), the others
 * peers (public key, preshared key, endpoint, allowed ips, handshake, rx, tx, keepalive). Both secret fields are skipped here; nothing else
 * may keep the text.
 */
export function parseDump(text: string): DeviceDump {
  const [device = "", ...peers] = text.split("\n").filter((line) => line !== "");
  const [, publicKey = "", listenPort = "0"] = device.split("\t");
  return {
    ...(publicKey !== "" && publicKey !== "(none)" && { publicKey }),
    listenPort: Number(listenPort),
    peers: peers.map(parsePeer),
  };
}

function parsePeer(line: string): PeerStatus {
  const [
    publicKey = "",
    ,
    endpoint = "",
    allowed = "",
    handshake = "0",
    rx = "0",
    tx = "0",
    keepalive = "off",
  ] = line.split("\t");
  return {
    publicKey,
    ...(endpoint !== "(none)" && { endpoint }),
    allowedIps: allowed === "(none)" || allowed === "" ? [] : allowed.split(","),
    ...(handshake !== "0" && { latestHandshake: Number(handshake) * 1000 }),
    receivedBytes: Number(rx),
    sentBytes: Number(tx),
    ...(keepalive !== "off" && keepalive !== "0" && { keepaliveSeconds: Number(keepalive) }),
  };
}

/** Parses `wg show IF latest-handshakes`: epoch milliseconds by public key, only for peers with a handshake. */
export function parseHandshakes(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [key, seconds] = line.split("\t");
    if (key !== undefined && Number(seconds) > 0) found.set(key, Number(seconds) * 1000);
  }
  return found;
}
