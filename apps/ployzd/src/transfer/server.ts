import { randomBytes, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  createServer,
  get,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { STREAM_PROTOCOL } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { connectGathering } from "./gathering.ts";
import { onUpgrade } from "./upgrade.ts";

/** Streams of one machine's objects to another, over the overlay. Serves only an offered object, once, to the named machine, within a minute. */
export interface TransferServer {
  /** `open` opens the offered object when it is fetched. */
  offer(machine: string, open: () => Promise<Readable>): string;
  offerFile(machine: string, path: string): string;
  /** The same for a two-way stream: `serve` gets the connection. */
  offerStream(machine: string, serve: (socket: Duplex) => void): string;
  close(): Promise<void>;
}

const OFFER_MS = 60_000;

export interface TransferOptions {
  readonly address: string;
  readonly port: number;
  /** The overlay address of a machine. */
  addressOf(machine: string): string | undefined;
  /** Handles other requests: calls between daemons. */
  peers(request: IncomingMessage, response: ServerResponse): void;
  log(error: unknown): void;
}

type Content =
  | { readonly open: () => Promise<Readable>; readonly serve?: undefined }
  | { readonly serve: (socket: Duplex) => void; readonly open?: undefined };
type Offered = Content & { readonly machine: string; readonly until: number };

export async function serveTransfers(options: TransferOptions): Promise<TransferServer> {
  const offers = new Map<string, Offered>();

  function redeem(request: IncomingMessage, what: "open" | "serve"): Offered | undefined {
    const token = /^Bearer ([0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const from = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
    for (const [known, offered] of offers) {
      const same = token.length === known.length && timingSafeEqual(Buffer.from(token), Buffer.from(known));
      if (offered.until < Date.now()) offers.delete(known);
      else if (same && offered[what] !== undefined && options.addressOf(offered.machine) === from) {
        offers.delete(known);
        return offered;
      }
    }
    return undefined;
  }

  function offer(machine: string, content: Content): string {
    for (const [old, { until }] of offers) if (until < Date.now()) offers.delete(old);
    const token = randomBytes(32).toString("hex");
    offers.set(token, { machine, ...content, until: Date.now() + OFFER_MS });
    return token;
  }

  const server = createServer((request, response) => {
    if (request.method !== "GET") {
      options.peers(request, response);
      return;
    }
    const offered = redeem(request, "open");
    if (offered?.open === undefined) {
      response.writeHead(403).end();
      return;
    }
    request.socket.setNoDelay(false); // fill packets: a send stream comes in pieces of 312 bytes and of 64 KiB
    offered
      .open()
      .then((source) =>
        pipeline(source, response.writeHead(200, { "content-type": "application/octet-stream" })),
      )
      .catch((error: unknown) => {
        options.log(error);
        response.destroy(); // break the connection, so that the receiver detects the truncation
      });
  });
  const breakStreams = onUpgrade(server, (request) => redeem(request, "serve")?.serve);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new PloyzError(
              {
                code: "port_taken",
                message: `${options.address}:${options.port} (transfer_port) is in use`,
                hint: "set transfer_port in the configuration to a free port",
              },
              { cause: error },
            )
          : error,
      ),
    );
    server.listen(options.port, options.address, resolve);
  });
  return {
    offer: (machine, open) => offer(machine, { open }),
    offerFile: (machine, path) => offer(machine, { open: async () => createReadStream(path) }),
    offerStream: (machine, serve) => offer(machine, { serve }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        breakStreams();
      }),
  };
}

/** Fetches an object that another member has offered to this machine. */
export type Fetch = (machine: string, token: string, signal: AbortSignal) => Promise<Readable>;

/** `fetchOffer`, by the machine's name. @throws PloyzError `no_such_machine`. */
export const fetchFrom =
  (addressOf: (machine: string) => string | undefined, port: number): Fetch =>
  async (machine, token, signal) => {
    const address = addressOf(machine);
    if (address !== undefined) return fetchOffer(address, port, token, signal);
    throw new PloyzError({ code: "no_such_machine", message: `${machine} is not a member here` });
  };

/** Opens a two-way stream that another member has offered to this machine. */
export type Connect = (machine: string, token: string) => Promise<Duplex>;

const CONNECT_MS = 10_000;

/** @throws PloyzError `no_such_machine`, `transfer_refused`, `transfer_failed`. */
export const connectTo =
  (addressOf: (machine: string) => string | undefined, port: number): Connect =>
  (machine, token) =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, connection: "Upgrade", upgrade: STREAM_PROTOCOL };
      const failed = (why: string, cause?: Error) =>
        reject(
          new PloyzError({ code: "transfer_failed", message: `stream from ${machine}: ${why}` }, { cause }),
        );
      const asking = httpRequest({ host: addressOf(machine), port, path: "/", headers, timeout: CONNECT_MS });
      asking.on("upgrade", (_response, socket, head) => {
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      asking.on("response", ({ statusCode }) => failed(`it answered ${statusCode}`));
      asking.on("timeout", () => asking.destroy(new Error(`no answer within ${CONNECT_MS} ms`)));
      asking.on("error", (error) => failed(error.message, error));
      asking.end();
    });

/** Redeems an offer. The stream fails if the sender breaks it off. */
export function fetchOffer(
  address: string,
  port: number,
  token: string,
  signal: AbortSignal,
): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const asking = get(
      {
        ...{ host: address, port, path: "/", headers: { authorization: `Bearer ${token}` }, signal },
        createConnection: () => connectGathering({ host: address, port }),
      },
      (response) => {
        if (response.statusCode === 200) resolve(response);
        else {
          response.resume();
          reject(
            new PloyzError({
              code: "transfer_refused",
              message: `${address}:${port} refused the transfer (${response.statusCode})`,
              hint: "run the same command again",
            }),
          );
        }
      },
    );
    asking.on("error", (error) =>
      reject(
        signal.aborted
          ? signal.reason
          : new PloyzError(
              { code: "transfer_failed", message: `transfer from ${address}:${port}: ${error.message}` },
              { cause: error },
            ),
      ),
    );
  });
}
