import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Duplex, Readable } from "node:stream";
import type { ErrorBody } from "@ployz/errors";
import { PloyzError as WireError } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";

/** Where the daemon listens: a socket's path, or a way to connect to it. */
export type ClientTarget =
  | { readonly socketPath: string }
  /** Any stream to the daemon's socket, e.g. one forwarded over SSH. One per request. */
  | {
      /** Opens a connection to the daemon. */
      readonly connect: () => Duplex;
      /** Lets requests share connections, which it makes itself; else each request has its own. */
      readonly agent?: Agent;
      readonly name?: string;
      /** Headers of every request. */
      readonly headers?: Readonly<Record<string, string>>;
    };

/**
 * Not imported: an import of `node:http` reads all its exports, and `WebSocket` among them loads undici, which takes half of the time that a
 * command needs to start.
 */
export const httpRequest = (
  options: RequestOptions,
  onResponse?: (response: IncomingMessage) => void,
): ClientRequest => process.getBuiltinModule("node:http").request(options, onResponse);

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly accept: "application/json" | "application/x-ndjson" | "application/octet-stream";
  readonly body?: { readonly json: string } | { readonly tar: Readable };
  readonly signal?: AbortSignal;
  /** Of silence on the connection; 0 for none. */
  readonly idleMs: number;
}

/** Sends one request. Resolves with a response of status 200 to 299; anything else is thrown as a `PloyzError`. */
export async function exchange(target: ClientTarget, options: Exchange): Promise<IncomingMessage> {
  const response = await open(target, options);
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const text = await readAll(response);
  throw new WireError(
    errorOf(text) ?? { code: "internal", message: `the daemon answered ${status} to ${options.path}` },
  );
}

function open(target: ClientTarget, options: Exchange): Promise<IncomingMessage> {
  const { method, path, accept, body, signal, idleMs } = options;
  const type =
    body === undefined ? {} : { "content-type": "json" in body ? "application/json" : "application/x-tar" };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...connection(target),
        method,
        path,
        headers: { host: "ployzd", accept, ...type, ...headersOf(target) },
        ...(signal && { signal }),
      },
      (response) => {
        // Refused: the daemon answers before it has all, and takes no more.
        if (body !== undefined && "tar" in body && (response.statusCode ?? 0) >= 300) {
          body.tar.unpipe(request);
          response.once("end", () => request.destroy());
        }
        resolve(response);
      },
    );
    request.on("error", (error) => reject(unreachable(target, error, signal)));
    if (idleMs > 0) {
      request.setTimeout(idleMs, () => {
        const message = `the daemon did not answer ${method} ${path} within ${idleMs} ms`;
        request.destroy(new PloyzError({ code: "daemon_timeout", message, hint: "ployzctl daemon status" }));
      });
    }
    if (body === undefined) request.end();
    else if ("json" in body) request.end(body.json);
    else {
      body.tar.on("error", (error) => request.destroy(error));
      body.tar.pipe(request);
    }
  });
}

/** What every request to it carries. */
export const headersOf = (target: ClientTarget): Readonly<Record<string, string>> =>
  "socketPath" in target ? {} : (target.headers ?? {});

/** Where a request goes. */
export const connection = (target: ClientTarget) =>
  "socketPath" in target
    ? { socketPath: target.socketPath, agent: false as const }
    : target.agent !== undefined
      ? { agent: target.agent }
      : // Used only when no agent is named.
        { createConnection: () => target.connect() };

/** What a broken connection means to an operator. */
export function unreachable(target: ClientTarget, error: unknown, signal?: AbortSignal): Error {
  if (signal?.aborted) return new PloyzError({ code: "aborted", message: "aborted" }, { cause: error });
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (error instanceof PloyzError || code === undefined)
    return error instanceof Error ? error : new Error(String(error));
  const where = "socketPath" in target ? target.socketPath : (target.name ?? "the connection");
  const denied = code === "EACCES" || code === "EPERM";
  return new PloyzError(
    {
      code: "daemon_unreachable",
      message: denied ? `no permission to use ${where}` : `no daemon answers at ${where} (${code})`,
      hint: denied ? "run as root or join the group ployz" : "start it with: ployzctl daemon install",
    },
    { cause: error },
  );
}

/** The `{ error }` document in `text`, if it is one. */
export function errorOf(text: string): ErrorBody | undefined {
  try {
    const { error } = JSON.parse(text) as { readonly error?: ErrorBody };
    return typeof error?.code === "string" && typeof error.message === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

export async function readAll(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** JSON documents, one per line, as they arrive. */
export async function* lines(response: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield part;
  }
  if (rest.trim() !== "") yield rest;
}
