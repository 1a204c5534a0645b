import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, isIP, type Server, type Socket } from "node:net";
import { PloyzError } from "./error-codes.ts";
import { frame, frames } from "./tcp-frame.ts";

/** `from` is the address of the client. */
export type Respond = (
  packet: Buffer,
  transport: "udp" | "tcp",
  from: string,
) => Buffer | Promise<Buffer> | undefined;

/** One address, over UDP and TCP. */
export interface Binding {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

interface Where {
  readonly address: string;
  readonly port: number;
}

const MAX_TCP_CONNECTIONS = 512;
/** Per client, so that one client leaves connections for others. */
const MAX_TCP_CONNECTIONS_PER_SOURCE = 32;
/** A client that sends questions and reads no answers is cut off. */
const MAX_UNREAD_BYTES = 1 << 20;

/** Binds all addresses or none: when one fails, the others are closed. */
export async function bindAll(
  listen: readonly Where[],
  respond: Respond,
  idleMs: number,
): Promise<Binding[]> {
  const bindings: Binding[] = [];
  try {
    for (const where of listen) bindings.push(await bind(where, respond, idleMs));
  } catch (error) {
    await Promise.all(bindings.map((binding) => binding.close()));
    throw error;
  }
  return bindings;
}

async function bind(where: Where, respond: Respond, idleMs: number): Promise<Binding> {
  if (isIP(where.address) === 0)
    throw new PloyzError({
      code: "dns_options_invalid",
      message: `${JSON.stringify(where.address)} is not an IP address to listen on`,
      hint: "write e.g. 10.101.1.1",
    });
  const udp = createSocket(isIP(where.address) === 6 ? { type: "udp6", ipv6Only: true } : { type: "udp4" });
  await listening(udp, where, () => udp.bind({ port: where.port, address: where.address, exclusive: true }));
  const { port } = udp.address();
  serveUdp(udp, respond);
  const connections = new Set<Socket>();
  const perSource = new Map<string, number>();
  const tcp = createServer((socket) => {
    const from = socket.remoteAddress ?? "";
    const count = perSource.get(from) ?? 0;
    if (count >= MAX_TCP_CONNECTIONS_PER_SOURCE) {
      socket.destroy();
      return;
    }
    perSource.set(from, count + 1);
    connections.add(socket);
    socket.on("close", () => {
      connections.delete(socket);
      const left = (perSource.get(from) ?? 1) - 1;
      if (left > 0) perSource.set(from, left);
      else perSource.delete(from);
    });
    serveTcp(socket, respond, idleMs);
  });
  tcp.maxConnections = MAX_TCP_CONNECTIONS;
  try {
    const bound = { ...where, port };
    await listening(tcp, bound, () =>
      tcp.listen({ host: where.address, port, ipv6Only: true, exclusive: true }),
    );
  } catch (error) {
    udp.close();
    throw error;
  }
  return {
    address: where.address,
    port,
    async close() {
      for (const socket of connections) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };
}

function listening(socket: UdpSocket | Server, where: Where, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      socket.close();
      const address = `${where.address} port ${where.port}`;
      const fields =
        error.code === "EADDRINUSE"
          ? ({
              code: "dns_port_taken",
              message: `${address} is in use by another program`,
              hint: `find it with: ss -lnptu 'sport = :${where.port}' (often systemd-resolved or dnsmasq)`,
            } as const)
          : ({
              code: "dns_listen_failed",
              message: `cannot listen on ${address}: ${error.message}`,
              hint: "the address must be one of this machine, and ports below 1024 need root",
            } as const);
      reject(new PloyzError(fields, { cause: error }));
    };
    socket.once("error", failed);
    socket.once("listening", () => {
      socket.off("error", failed);
      resolve();
    });
    start();
  });
}

function serveUdp(udp: UdpSocket, respond: Respond): void {
  // A bound socket reports only errors of one datagram (a client that is gone): nothing to do.
  udp.on("error", () => undefined);
  udp.on("message", (packet, client) => {
    // A response to such a source would come back to a server, this one or another.
    if (client.port === 0) return;
    void deliver(respond, packet, { transport: "udp", from: client.address }, (response) => {
      udp.send(response, client.port, client.address, () => undefined);
    });
  });
}

function serveTcp(socket: Socket, respond: Respond, idleMs: number): void {
  const next = frames();
  const from = socket.remoteAddress ?? "";
  socket.setNoDelay(true);
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    // Answers go out as they are ready, in any order (RFC 7766, 6.2.1.1).
    for (const packet of next(chunk))
      void deliver(respond, packet, { transport: "tcp", from }, (response) => {
        if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
        else if (!socket.destroyed) socket.write(frame(response));
      });
  });
}

/** No packet stops the server. */
async function deliver(
  respond: Respond,
  packet: Buffer,
  { transport, from }: { readonly transport: "udp" | "tcp"; readonly from: string },
  send: (response: Buffer) => void,
): Promise<void> {
  try {
    const response = await respond(packet, transport, from);
    if (response) send(response);
  } catch {
    // The socket closed meanwhile: no client waits for the answer.
  }
}
