import { createSocket } from "node:dgram";
import { firstHost, parseAddress, parseCidr } from "./cidr.ts";
import type { Peer } from "./peer.ts";

/** Discard (RFC 863). No listener is needed: sending a datagram into the tunnel starts a handshake. */
const PORT = 9;

/** A session older than this carries no packets (WireGuard paper, section 6.1: Reject-After-Time). */
export const SESSION_MAX_AGE_MS = 180_000;

/** The overlay address of the peer's machine; `undefined` for a peer without networks. */
export function machineAddressOf(peer: Peer): string | undefined {
  const [first] = peer.allowedIps;
  return first === undefined ? undefined : firstHost(parseCidr(first));
}

/** Sends each peer a datagram, which starts a handshake. A failed send is not an error: callers that need the session wait for the handshake. */
export async function trigger(peers: readonly Peer[]): Promise<void> {
  await Promise.all(
    peers.map(async (peer) => {
      const address = machineAddressOf(peer);
      if (address !== undefined) await send(address);
    }),
  );
}

function send(address: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket(parseAddress(address)?.family === 6 ? "udp6" : "udp4");
    const close = () => {
      socket.removeAllListeners("error");
      socket.on("error", () => {});
      socket.close(() => resolve());
    };
    socket.once("error", close);
    socket.send(Buffer.alloc(1), PORT, address, close);
  });
}
