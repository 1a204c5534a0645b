import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Server } from "../src/index.ts";
import { echoWebSocket } from "./upstream.ts";

/** A request as an instance reads it. */
export interface Seen {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: IncomingMessage["trailers"];
}

/** An instance that records its requests, and accepts every upgrade. */
export async function startRecorder(name: string) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const { url = "", headers, trailers } = request;
      seen.push({ url, headers, trailers });
      response.end(JSON.stringify({ name, url }));
    });
  });
  server.on("upgrade", (request, socket) => {
    const { url = "", headers, trailers } = request;
    seen.push({ url, headers, trailers });
    echoWebSocket(request, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const address: Server = { id: name, address: "127.0.0.1", port };
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { seen, address, close };
}

/** Sends these bytes on one connection, and returns the status of each answer that came within `ms`, or until the gateway closed. */
export function sendRaw(port: number, text: string, ms = 500): Promise<readonly number[]> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const done = (): void => {
      socket.destroy();
      resolve([...answer.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((found) => Number(found[1])));
    };
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("error", done);
    socket.on("close", done);
    socket.setTimeout(ms, done);
    socket.write(Buffer.from(text, "latin1"));
  });
}

export const get = (path: string, headers: readonly string[] = ["Host: raw.test"]): string =>
  `${[`GET ${path} HTTP/1.1`, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n`;
