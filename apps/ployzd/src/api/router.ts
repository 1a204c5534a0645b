import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { errorBody } from "@ployz/errors";
import type {
  Api,
  ApiFiles,
  ApiStreams,
  ApiUploadStreams,
  ApiUploads,
  ParamsOf,
} from "@ployz/primitives/client";
import { BODIES, own, shaped } from "@ployz/primitives/host";
import type { TSchema } from "typebox";
import { readJsonBody } from "../body.ts";
import { PloyzError } from "../error-codes.ts";
import { httpStatusOf } from "../errors.ts";
import type { Grant } from "./tokens/grant.ts";

type Texts = Readonly<Record<string, string>>;

/** One request, as its handler gets it. */
export interface Call<Params = Texts, Query = Readonly<Partial<Texts>>, Body = unknown> {
  readonly params: Params;
  readonly query: Query;
  readonly request: IncomingMessage;
  /** Of a caller with a token. Absent: the caller has the whole API. */
  readonly grant?: Grant;
  /** Aborts when the caller disconnects. */
  readonly signal: AbortSignal;
  /** The JSON body, of the shape that `BODIES` has for the route. @throws PloyzError `invalid_input`, also when it is larger than 8 MiB. */
  body(): Promise<Body>;
}

/** A method's type: a handler may want more of its call than any route has; the router checks that. */
export type Handler = { handle(call: Call): Promise<unknown> }["handle"];
/** Yields events, each sent as a line of JSON. */
export type StreamHandler = { handle(call: Call): AsyncIterable<unknown> }["handle"];

/** Yields a file. `bytes`: its length, or `about` its estimated length, if known. */
export type BytesHandler = {
  handle(call: Call): Promise<FileAnswer>;
}["handle"];
export interface FileAnswer {
  readonly bytes?: number;
  readonly about?: number;
  stream(): Readable;
}

interface Route {
  readonly query: object;
  readonly body: unknown;
}
type CallOf<R, T extends Route> = Call<
  R extends string ? ParamsOf<R> : never,
  { readonly [K in keyof T["query"]]?: string },
  T["body"]
>;
type Answers<T extends { readonly [R in keyof T]: Route & { readonly out: unknown } }> = {
  readonly [R in keyof T]: (call: CallOf<R, T[R]>) => Promise<T[R]["out"]>;
};
type Streams<T extends { readonly [R in keyof T]: Route & { readonly event: unknown } }> = {
  readonly [R in keyof T]: (call: CallOf<R, T[R]>) => AsyncIterable<T[R]["event"]>;
};

/** Every route of the local API, with a handler that fits: the types that the client has. */
export interface ApiRoutes {
  readonly json: Answers<Api> & Answers<ApiUploads>;
  readonly streams: Streams<ApiStreams> & Streams<ApiUploadStreams>;
  readonly bytes: { readonly [R in keyof ApiFiles]: (call: CallOf<R, ApiFiles[R]>) => Promise<FileAnswer> };
}

export interface Routes {
  readonly json: Readonly<Record<string, Handler>>;
  readonly streams: Readonly<Record<string, StreamHandler>>;
  readonly bytes?: Readonly<Record<string, BytesHandler>>;
}

const MAX_BODY = 8 * 1024 * 1024;

/** Answers one request. A route is written `GET /v1/operations/:id`. */
export function router(routes: Routes, log: (error: unknown, route: string) => void) {
  type Answer = (call: Call, response: ServerResponse) => Promise<void>;
  const entries = <H>(handlers: Readonly<Record<string, H>>, answer: (handler: H) => Answer) =>
    Object.entries(handlers).map(([route, handler]) => ({ ...pattern(route), answer: answer(handler) }));
  const table = [
    ...entries(routes.json, (handler) => async (call, response) => send(response, 200, await handler(call))),
    ...entries(routes.streams, (stream) => (call, response) => sendLines(response, stream(call))),
    ...entries(routes.bytes ?? {}, (handler) => async (call, response) => {
      const { bytes, about, stream } = await handler(call);
      const head = {
        "content-type": "application/octet-stream",
        ...(bytes !== undefined && { "content-length": bytes }),
        ...(about !== undefined && { "ployz-about-bytes": about }),
      };
      await pipeline(stream(), response.writeHead(200, head));
    }),
  ];
  return async (request: IncomingMessage, response: ServerResponse, grant?: Grant): Promise<void> => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    response.on("error", () => gone.abort()); // the caller disconnected; without a listener the error would end the process
    const url = parseUrl(request.url);
    if (url === undefined) return fail(response, invalid("the request has no valid path"));
    for (const entry of table) {
      const match = entry.method === request.method ? entry.path.exec(url.pathname) : null;
      if (match === null) continue;
      const params = paramsOf(entry.names, match);
      if (params === undefined) return fail(response, invalid(`${url.pathname} has an invalid encoding`));
      const call: Call = {
        params,
        query: Object.fromEntries(url.searchParams),
        request,
        ...(grant && { grant }),
        signal: gone.signal,
        body: async () => bodyOf(entry.route, await readJsonBody(request, MAX_BODY)),
      };
      try {
        await entry.answer(call, response);
      } catch (error) {
        log(error, entry.route);
        fail(response, error);
      }
      return;
    }
    fail(
      response,
      new PloyzError({
        code: "no_such_route",
        message: `${request.method} ${url.pathname} is unknown to this daemon`,
        hint: "the daemon may be older than ployzctl; compare with: ployzctl version",
      }),
    );
  };
}

const schemas: Readonly<Record<string, TSchema>> = BODIES;

function bodyOf(route: string, document: unknown): unknown {
  const schema = own(schemas, route);
  return schema === undefined ? document : shaped(schema)(document ?? {});
}

const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });

function parseUrl(text: string | undefined): URL | undefined {
  const path = text ?? "/";
  if (!path.startsWith("/") || path.startsWith("//")) return undefined;
  try {
    return new URL(`http://ployzd${path}`);
  } catch {
    return undefined;
  }
}

function paramsOf(
  names: readonly string[],
  match: RegExpExecArray,
): Readonly<Record<string, string>> | undefined {
  try {
    return Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1] ?? "")]));
  } catch {
    return undefined; // %zz
  }
}

function pattern(route: string) {
  const [method = "", path = ""] = route.split(" ");
  const names = [...path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? "");
  return { route, method, names, path: new RegExp(`^${path.replaceAll(/:\w+/g, "([^/]+)")}$`) };
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value ?? null);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .write(text);
  void end(response);
}

const UPLOAD_MS = 60_000;

/** Ends an answer once the caller has sent all, or has left: a connection that is closed during an upload can lose the answer. */
async function end(response: ServerResponse): Promise<void> {
  const { req } = response;
  if (!req.complete) {
    const signal = AbortSignal.timeout(UPLOAD_MS);
    await finished(req.resume(), { writable: false, signal }).catch(() => undefined); // it has left, or sends without end
  }
  response.end();
}

async function sendLines(response: ServerResponse, events: AsyncIterable<unknown>): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  const first = await iterator.next(); // before the head is sent: an immediate error still gets its status
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  try {
    await pipeline(jsonLines(first, iterator), response, { end: false });
  } catch {
    return; // the client is gone
  }
  await end(response);
}

async function* jsonLines(
  first: IteratorResult<unknown>,
  events: AsyncIterator<unknown>,
): AsyncGenerator<string> {
  try {
    for (let next = first; next.done !== true; next = await events.next())
      yield `${JSON.stringify(next.value)}\n`;
  } catch (error) {
    yield `${JSON.stringify({ error: errorBody(error) })}\n`;
  } finally {
    await events.return?.();
  }
}

export function fail(response: ServerResponse, error: unknown): void {
  const body = errorBody(error);
  if (response.headersSent) response.destroy();
  else send(response, httpStatusOf(body.code), { error: body });
}
