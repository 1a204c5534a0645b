import { randomBytes, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { PloyzError } from "../error-codes.ts";
import { connectGathering } from "./gathering.ts";

/** Streams of one machine's objects to another, over the overlay. Serves only an offered object, once, to the named machine, within a minute. */
export interface TransferServer {
  /** `open` opens the offered object when it is fetched. */
  offer(machine: string, open: () => Promise<Readable>): string;
  offerFile(machine: string, path: string): string;
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

interface Offered {
  readonly machine: string;
  readonly until: number;
  open(): Promise<Readable>;
}

export async function serveTransfers(options: TransferOptions): Promise<TransferServer> {
  const offers = new Map<string, Offered>();

  function redeem(token: string, from: string): Offered | undefined {
    for (const [known, offered] of offers) {
      const same = token.length === known.length && timingSafeEqual(Buffer.from(token), Buffer.from(known));
      if (offered.until < Date.now()) offers.delete(known);
      else if (same && options.addressOf(offered.machine) === from) {
        offers.delete(known);
        return offered;
      }
    }
    return undefined;
  }

  function offer(machine: string, open: () => Promise<Readable>): string {
    for (const [old, { until }] of offers) if (until < Date.now()) offers.delete(old);
    const token = randomBytes(32).toString("hex");
    offers.set(token, { machine, open, until: Date.now() + OFFER_MS });
    return token;
  }

  const server = createServer((request, response) => {
    if (request.method !== "GET") {
      options.peers(request, response);
      return;
    }
    const token = /^Bearer ([0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const offered = redeem(token, request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "");
    if (offered === undefined) {
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
    offer,
    offerFile: (machine, path) => offer(machine, async () => createReadStream(path)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
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
