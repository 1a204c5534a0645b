import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { PloyzError as WireError } from "@ployz/errors";
import type { OperationEvent } from "../model/operation.ts";
import type { StreamAsk } from "../streams/ask.ts";
import { type OpenStream, openStream } from "../streams/open.ts";
import type { Api, ApiStreams } from "./api.ts";
import { type ClientTarget, errorOf, exchange, lines, readAll, unreachable } from "./http.ts";
import type { ImagePushed } from "./images.ts";
import type { VolumeImportRequest } from "./volume-file.ts";

/** The parameters in the path of a route, by name. */
export type ParamsOf<Route extends string> = Route extends `${string}:${infer Name}/${infer Rest}`
  ? { readonly [K in Name]: string } & ParamsOf<`/${Rest}`>
  : Route extends `${string}:${infer Name}`
    ? { readonly [K in Name]: string }
    : Record<never, string>;

/** Nothing to say is nothing to write: a field whose type has no required key may be left out. */
type Field<Name extends string, T> = undefined extends T
  ? { readonly [K in Name]?: T }
  : Record<never, never> extends T
    ? { readonly [K in Name]?: T }
    : { readonly [K in Name]: T };

/** Options of one request: parameters, query and body, as the route needs them. */
export type CallOf<Route extends string, Query, Body> = Field<"params", ParamsOf<Route>> &
  Field<"query", Query> &
  Field<"body", Body> & {
    readonly signal?: AbortSignal;
    /** Milliseconds of silence before `daemon_timeout`; default 30 000 for requests, none for streams. */
    readonly idleMs?: number;
  };

type Required<T> = Record<never, never> extends T ? [options?: T] : [options: T];

/** A daemon's local API, typed by route. Every method fails with a `PloyzError`: the daemon's own, or `daemon_unreachable`. */
export interface Client {
  /** Sends one request and resolves with its typed answer. */
  request<R extends keyof Api & string>(
    route: R,
    ...options: Required<CallOf<R, Api[R]["query"], Api[R]["body"]>>
  ): Promise<Api[R]["out"]>;
  /** Events until the daemon ends the stream. Leaving the loop or aborting closes the connection; the operation keeps running. */
  stream<R extends keyof ApiStreams & string>(
    route: R,
    ...options: Required<CallOf<R, ApiStreams[R]["query"], ApiStreams[R]["body"]>>
  ): AsyncIterable<ApiStreams[R]["event"]>;
  /** Sends a bundle's tar (`PUT /v1/bundles/:digest`). */
  uploadBundle(digest: string, tar: Readable, signal?: AbortSignal): Promise<void>;
  /** Sends an image's archive (`PUT /v1/images`). */
  pushImage(name: string | undefined, archive: Readable, signal?: AbortSignal): Promise<ImagePushed>;
  /** A backup of the store, as it comes (`POST /v1/store/snapshot`). */
  storeSnapshot(passphrase: string | undefined, signal?: AbortSignal): Promise<Readable>;
  /** Sends a backup (`PUT /v1/store/backup`); resolves with the id by which it can be restored. */
  uploadBackup(backup: Readable, signal?: AbortSignal): Promise<string>;
  /** A snapshot of a volume as one file (`GET /v1/volumes/:ns/:name/export`). Fails when it breaks off. `about`: its size, roughly. */
  exportVolume(
    volume: {
      readonly namespace: string;
      readonly volume: string;
      readonly snapshot: string;
      /** Only what has changed since this snapshot. */
      readonly since?: string;
    },
    signal?: AbortSignal,
  ): Promise<{ readonly about?: number; readonly stream: Readable }>;
  /** Sends such a file, or several after a line with their descriptions (`POST /v1/volumes/import`), and tells what becomes of it meanwhile. */
  importVolume(
    request: VolumeImportRequest,
    file: Readable,
    signal?: AbortSignal,
  ): AsyncIterable<OperationEvent>;
  /** A two-way stream to an instance: a program in it, or a connection to one of its ports. */
  open(ask: StreamAsk, signal?: AbortSignal): Promise<OpenStream>;
}

interface AnyCall {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly idleMs?: number;
}

/** A client of one daemon. Connects per request; throws `PloyzError` with the code of the daemon's answer, or `daemon_unreachable`. */
export function openClient(target: ClientTarget): Client {
  return {
    async request(route, ...[options]) {
      const response = await send(target, route, "application/json", (options ?? {}) as AnyCall, 30_000);
      const text = await readAll(response);
      return JSON.parse(text);
    },
    stream(route, ...[options]) {
      return events(target, route, (options ?? {}) as AnyCall);
    },
    async uploadBundle(digest, tar, signal) {
      await readAll(await exchange(target, upload(`/v1/bundles/${encodeURIComponent(digest)}`, tar, signal)));
    },
    async pushImage(name, archive, signal) {
      const { path } = pathOf("PUT /v1/images", { query: { name } });
      // The daemon compresses the last layer before it answers.
      const sent = { ...upload(path, archive, signal), idleMs: 600_000 };
      return JSON.parse(await readAll(await exchange(target, sent))) as ImagePushed;
    },
    async storeSnapshot(passphrase, signal) {
      const body = JSON.stringify(passphrase === undefined ? {} : { passphrase });
      const from = {
        method: "POST",
        path: "/v1/store/snapshot",
        accept: "application/octet-stream" as const,
      };
      // The daemon copies and verifies all of it before the first byte.
      return exchange(target, { ...from, idleMs: 300_000, body: { json: body }, ...(signal && { signal }) });
    },
    async uploadBackup(backup, signal) {
      const answer = await readAll(await exchange(target, upload("/v1/store/backup", backup, signal)));
      return (JSON.parse(answer) as { readonly id: string }).id;
    },
    async exportVolume({ namespace: ns, volume: name, snapshot, since }, signal) {
      const call = { params: { ns, name }, query: { snapshot, since } };
      const { method, path } = pathOf("GET /v1/volumes/:ns/:name/export", call);
      const stream = await exchange(target, {
        ...{ method, path, accept: "application/octet-stream", idleMs: 60_000 },
        ...(signal && { signal }),
      });
      const about = Number(stream.headers["ployz-about-bytes"]);
      return { ...(Number.isFinite(about) && { about }), stream };
    },
    async *importVolume(request, file, signal) {
      const { method, path } = pathOf("POST /v1/volumes/import", { query: request });
      const sent = { tar: file };
      const response = await exchange(target, {
        ...{ method, path, accept: "application/x-ndjson", idleMs: 0, body: sent },
        ...(signal && { signal }),
      });
      for await (const event of eventsOf<OperationEvent>(target, response, signal)) {
        yield event;
        if (event.type === "result") return; // the rest of the file does not matter any more
      }
    },
    open: (ask, signal) => openStream(target, ask, signal),
  };
}

const upload = (path: string, body: Readable, signal: AbortSignal | undefined) => ({
  ...{ method: "PUT", path, accept: "application/json" as const, idleMs: 60_000, body: { tar: body } },
  ...(signal && { signal }),
});

function send(
  target: ClientTarget,
  route: string,
  accept: "application/json" | "application/x-ndjson",
  call: AnyCall,
  idleMs: number,
) {
  const { method, path } = pathOf(route, call);
  return exchange(target, {
    ...{ method, path, accept },
    idleMs: call.idleMs ?? idleMs,
    ...(call.body !== undefined && { body: { json: JSON.stringify(call.body) } }),
    ...(call.signal && { signal: call.signal }),
  });
}

async function* events<T>(target: ClientTarget, route: string, call: AnyCall): AsyncGenerator<T> {
  yield* eventsOf<T>(target, await send(target, route, "application/x-ndjson", call, 0), call.signal);
}

async function* eventsOf<T>(
  target: ClientTarget,
  response: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  try {
    for await (const line of lines(response)) {
      const error = line.startsWith('{"error"') ? errorOf(line) : undefined;
      if (error) throw new WireError(error);
      yield JSON.parse(line) as T;
    }
  } catch (error) {
    throw unreachable(target, error, signal);
  } finally {
    response.destroy();
  }
}

/** `GET /v1/operations/:id` with its parameters and query filled in, percent-encoded. */
export function pathOf(route: string, call: Pick<AnyCall, "params" | "query">) {
  const [method, template] = route.split(" ");
  if (method === undefined || template === undefined) throw new Error(`"${route}" is not a route`);
  const path = template.replaceAll(/:([a-z]+)/g, (_, name: string) => {
    const value = call.params?.[name];
    if (value === undefined || value === "") throw new Error(`"${route}" needs the parameter ${name}`);
    return encodeURIComponent(value);
  });
  const query = Object.entries(call.query ?? {}).filter((q): q is [string, string] => q[1] !== undefined);
  const search = new URLSearchParams(query).toString();
  return { method, path: search === "" ? path : `${path}?${search}` };
}
