import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { errorBody } from "@ployz/errors";
import type { Client } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";
import { type Changes, openChanges } from "./changes.ts";
import type { StaticFile } from "./files.ts";
import { foreign, HEADERS, type Keys, openKeys } from "./guard.ts";
import { DOCUMENTS, routeOf, STREAMS } from "./reads.ts";

export interface DashboardOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly client: Client;
  readonly files: ReadonlyMap<string, StaticFile>;
  /** Absent: it changes nothing. */
  readonly write?: { readonly by: string };
}

export interface Dashboard {
  /** With a token: a password for as long as the server runs. `once`: for one browser, within a minute. */
  address(once: boolean): string;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Serves the page, and what it may read of the daemon's API, to browsers of this computer. @throws PloyzError `port_taken`. */
export async function serveDashboard(options: DashboardOptions): Promise<Dashboard> {
  const changes = options.write && openChanges(options.client, options.write.by);
  let keys: Keys | undefined;
  let hosts: readonly string[] = [];
  const server = createServer((request, response) => {
    if (keys === undefined) return void response.destroy();
    void answer({ ...options, keys, hosts, changes }, request, response);
  });
  server.requestTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${HOST}:${options.port} (${error.code})`;
      reject(new PloyzError({ code: "port_taken", message, hint: "name another port: --port N" }));
    });
    server.listen(options.port, HOST, resolve);
  });
  const { port } = server.address() as AddressInfo;
  hosts = [`${HOST}:${port}`, `localhost:${port}`];
  const opened = openKeys(`ployz-${port}`, Date.now);
  keys = opened;
  const printed = opened.token(false);
  return {
    address: (once) => `http://${HOST}:${port}/?token=${once ? opened.token(true) : printed}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Serving extends DashboardOptions {
  readonly keys: Keys;
  readonly hosts: readonly string[];
  readonly changes: Changes | undefined;
}

async function answer(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  response.on("error", () => gone.abort());
  const { method = "", headers } = request;
  const refused = foreign({ method, headers }, serving.hosts);
  if (refused !== undefined) return plain(response, refused.status, refused.message);
  const url = new URL(request.url?.startsWith("/") ? `http://here${request.url}` : "http://here/");
  const { keys } = serving;
  const token = url.searchParams.get("token");
  if (token !== null && url.pathname === "/") {
    const session = keys.redeem(token);
    if (session === undefined) return plain(response, 403, "the address is not valid, or was used before");
    // The page itself, not a redirect: with that, a browser would not send a strict cookie when it came by a link.
    response.setHeader("set-cookie", `${keys.cookie}=${session}; HttpOnly; SameSite=Strict; Path=/`);
  } else if (!keys.holds(headers.cookie))
    return plain(response, 403, "open the address that ployzctl dashboard printed");
  try {
    if (method === "POST") return await change(serving, { url, request, response, signal: gone.signal });
    await read(serving, { url, response, signal: gone.signal });
  } catch (error) {
    fail(response, error);
  }
}

interface Turn {
  readonly url: URL;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

async function read({ client, files, changes }: Serving, { url, response, signal }: Turn): Promise<void> {
  const { pathname, searchParams } = url;
  const query = Object.fromEntries(searchParams);
  if (pathname === "/mode") return json(response, 200, { write: changes !== undefined });
  if (pathname.startsWith("/api/")) {
    const found = routeOf(DOCUMENTS, pathname.slice("/api".length));
    if (found === undefined) return json(response, 404, { error: NO_ROUTE });
    return json(response, 200, await found.handler({ client, signal, query, params: found.params }));
  }
  if (pathname.startsWith("/stream/")) {
    const found = routeOf(STREAMS, pathname.slice("/stream".length));
    if (found === undefined) return json(response, 404, { error: NO_ROUTE });
    return stream(response, found.handler({ client, signal, query, params: found.params }));
  }
  const file = files.get(pathname === "/" ? "/index.html" : pathname);
  if (file === undefined) return plain(response, 404, "there is no such file");
  response
    .writeHead(200, { "content-type": file.type, "content-length": file.content.length })
    .end(file.content);
}

const NO_ROUTE = { code: "not_shown", message: "the dashboard does not read this" };

async function change(
  { changes }: Serving,
  { url, request, response, signal }: Turn & { readonly request: IncomingMessage },
): Promise<void> {
  if (changes === undefined) {
    const error = {
      code: "read_only",
      message: "this dashboard changes nothing",
      hint: "allow it: ployzctl dashboard --write",
    };
    return json(response, 403, { error });
  }
  const body = await bodyOf(request);
  switch (url.pathname) {
    case "/change/preview":
      return json(response, 200, await changes.preview(body, signal));
    case "/change/apply":
      return json(response, 200, await changes.apply(body));
    case "/change/abort":
      return json(response, 200, await changes.abort(body));
    default:
      return json(response, 404, { error: NO_ROUTE });
  }
}

const MAX_BODY = 64 * 1024;

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY)
      throw new PloyzError({ code: "invalid_input", message: "the request is too large" });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new PloyzError({ code: "invalid_input", message: "the request is not JSON" });
  }
}

/** Server-Sent Events. An `end` says that nothing more comes: the browser would connect again otherwise. */
async function stream(response: ServerResponse, events: AsyncIterable<unknown>): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  await pipeline(serverSentEvents(events), response).catch(() => undefined); // the browser is gone
}

async function* serverSentEvents(events: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const event of events) yield `data: ${JSON.stringify(event)}\n\n`;
    yield "event: end\ndata: {}\n\n";
  } catch (error) {
    yield `event: fault\ndata: ${JSON.stringify(errorBody(error))}\n\n`;
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

function plain(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${message}\n`);
}

function fail(response: ServerResponse, error: unknown): void {
  const body = errorBody(error);
  if (response.headersSent) response.destroy();
  else json(response, body.code === "invalid_input" ? 400 : 502, { error: body });
}
