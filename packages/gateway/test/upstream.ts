import { createHash } from "node:crypto";
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTcp } from "node:net";

/** A tiny instance: answers with its name and the headers that it got; `/slow?ms=` takes its time; WebSocket echo. */
export interface Upstream {
  readonly name: string;
  readonly port: number;
  /** Requests answered, health checks not counted. */
  readonly served: () => number;
  readonly busy: () => number;
  /** Stops as a process that ends: every connection is cut. */
  kill(): Promise<void>;
  /** Stops as a process that heeds SIGTERM: takes nothing new, and answers what it has. */
  stop(): Promise<void>;
}

export async function startUpstream(name: string, port = 0): Promise<Upstream> {
  let served = 0;
  let busy = 0;
  const sockets = new Set<Socket>();
  const server: HttpServer = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    busy++;
    response.on("close", () => {
      busy--;
    });
    const answer = (): void => {
      served++;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name, path: url.pathname, headers: request.headers }));
    };
    const ms = Number(url.searchParams.get("ms") ?? 0);
    if (ms > 0) setTimeout(answer, ms);
    else answer();
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("upgrade", echoWebSocket);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    name,
    port: (server.address() as AddressInfo).port,
    served: () => served,
    busy: () => busy,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** RFC 6455, far enough to echo: frames come back as they are, unmasked. */
export function echoWebSocket(
  request: IncomingMessage,
  socket: NodeJS.WritableStream & NodeJS.ReadableStream,
): void {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on("data", (frame: Buffer) => {
    const length = (frame[1] ?? 0) & 0x7f;
    const mask = frame.subarray(2, 6);
    const body = Buffer.from(
      frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)),
    );
    socket.write(Buffer.concat([Buffer.from([0x81, body.length]), body]));
  });
}

export async function startTcpEcho(name: string): Promise<{ readonly port: number; close(): void }> {
  const server = createTcp((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => socket.write(`${name}:${chunk.toString()}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
