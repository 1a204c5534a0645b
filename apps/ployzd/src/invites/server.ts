import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { errorBody } from "@ployz/errors";
import { TOKEN_PROTOCOL } from "@ployz/primitives/protocol";
import { readJsonBody } from "../body.ts";
import { PloyzError } from "../error-codes.ts";
import { httpStatusOf } from "../errors.ts";
import type { JoinKey } from "./join-key.ts";
import { openRate } from "./rate.ts";

/** Messages to the new machine, one line of JSON each. The last is `joined` or `error`. */
export type JoinLine =
  | { readonly document: unknown }
  | { readonly leave: string }
  | { readonly joined: unknown }
  | { readonly error: ReturnType<typeof errorBody> };

/** The connection to one joining machine. */
export interface JoinCall {
  readonly body: unknown;
  /** Its source address. */
  readonly from: string;
  /** Resolves when the line is sent; `false`: the machine has disconnected. */
  say(line: JoinLine): Promise<boolean>;
}

export interface JoinServer {
  close(): Promise<void>;
}

export interface JoinServerOptions {
  readonly port: number;
  readonly identity: JoinKey;
  /** Sends all messages; an error that it throws is sent as the last one. */
  handle(call: JoinCall): Promise<void>;
  log(error: unknown): void;
  /** Takes connections that negotiate `TOKEN_PROTOCOL` (ALPN, RFC 7301); calls `admitted` when the caller is no stranger. */
  readonly take?: TakeSocket;
}

export type TakeSocket = (socket: TLSSocket, admitted: () => void) => void;

const MAX_BODY = 32 * 1024;
const MAX_CONNECTIONS = 256;
/** Of one address, so that one source leaves connections for others. Several machines behind one NAT may join at once. */
const MAX_CONNECTIONS_PER_SOURCE = 16;

/**
 * The only port of a machine open to strangers: TLS 1.3, one small request with a short deadline, rate-limited. It has no notion of invites.
 * @throws PloyzError `port_taken`.
 */
export async function serveJoins(options: JoinServerOptions): Promise<JoinServer> {
  const { key, cert } = options.identity;
  const allowed = openRate(() => performance.now());
  const server = createServer(
    {
      ...{ key, cert, minVersion: "TLSv1.3", handshakeTimeout: 5_000 },
      ALPNProtocols: [TOKEN_PROTOCOL, "http/1.1"],
      ...{ maxHeaderSize: 4_096, headersTimeout: 5_000, requestTimeout: 10_000 },
      ...{ connectionsCheckingInterval: 1_000, keepAlive: false },
    },
    (request, response) => void answer(request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  const perSource = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const from = socket.remoteAddress ?? "";
    const count = (perSource.get(from) ?? 0) + 1;
    if (count > MAX_CONNECTIONS_PER_SOURCE) {
      socket.destroy();
      return;
    }
    add(from, 1);
    socket.once("close", () => add(from, -1));
  });
  const add = (from: string, change: number) => {
    const count = (perSource.get(from) ?? 0) + change;
    if (count === 0) perSource.delete(from);
    else perSource.set(from, count);
  };
  const taken = new Set<TLSSocket>();
  const [serveHttp] = server.listeners("secureConnection");
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol !== TOKEN_PROTOCOL || options.take === undefined) {
      serveHttp?.call(server, socket);
      return;
    }
    taken.add(socket);
    socket.once("close", () => taken.delete(socket));
    const from = socket.remoteAddress ?? "";
    let stranger = true;
    options.take(socket, () => {
      if (!stranger) return;
      stranger = false; // counts no more
      add(from, -1);
      socket.once("close", () => add(from, 1));
    });
  });
  server.maxRequestsPerSocket = 1;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // the machine disconnected; `say` reports it
    const from = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
    const say = (line: JoinLine): Promise<boolean> => {
      if (response.destroyed) return Promise.resolve(false);
      if (!response.headersSent)
        response.writeHead("error" in line ? httpStatusOf(line.error.code) : 200, {
          "content-type": "application/x-ndjson",
          connection: "close",
        });
      return new Promise((resolve) => {
        response.write(`${JSON.stringify(line)}\n`, (error) => resolve(error == null));
      });
    };
    try {
      if (request.method !== "POST" || request.url !== "/v1/join") {
        response.writeHead(404, { connection: "close" }).end();
        return;
      }
      if (!allowed(from)) {
        response.writeHead(429, { connection: "close", "retry-after": "10" });
        throw new PloyzError({
          code: "too_many_requests",
          message: "too many requests from this address",
          hint: "wait ten seconds and run the same command again",
        });
      }
      await options.handle({ body: await readJsonBody(request, MAX_BODY), from, say });
    } catch (error) {
      if (errorBody(error).code === "internal") options.log(error);
      await say({ error: errorBody(error) });
    }
    response.end();
  }

  server.listen(options.port);
  try {
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new PloyzError(
      {
        code: "port_taken",
        message: `TCP port ${options.port} (join_port) is in use`,
        hint: `stop the program (find it: ss -tlnp 'sport = :${options.port}'), or set join_port in the configuration`,
      },
      { cause: error },
    );
  }
  server.on("error", options.log);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of taken) socket.destroy();
      }),
  };
}
