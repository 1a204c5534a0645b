import type { Api, ApiStreams, Client } from "@ployz/primitives/client";

/** A request of the page, of a route that it may read. */
export interface Read {
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Partial<Record<string, string>>>;
}

type Routes<T, Answer> = { readonly [R in keyof T]?: (read: Read) => Answer };

/** The daemon looks at every machine for some of these. */
const idleMs = 60_000;

/**
 * Every document that the page may read. Not among them: manifests, which hold the values of `env`; exports; and what only a machine's own
 * operator needs.
 */
export const DOCUMENTS = {
  "GET /v1/version": ({ client, signal }) => client.request("GET /v1/version", { signal }),
  "GET /v1/status": ({ client, signal }) => client.request("GET /v1/status", { signal, idleMs }),
  "GET /v1/ps": ({ client, signal }) => client.request("GET /v1/ps", { signal, idleMs }),
  "GET /v1/volumes": ({ client, signal }) => client.request("GET /v1/volumes", { signal, idleMs }),
  "GET /v1/volumes/:ns/:name/snapshots": ({ client, signal, params: { ns = "", name = "" } }) =>
    client.request("GET /v1/volumes/:ns/:name/snapshots", { params: { ns, name }, signal, idleMs }),
  "GET /v1/namespaces/:ns/history": ({ client, signal, params: { ns = "" }, query: { limit = "100" } }) =>
    client.request("GET /v1/namespaces/:ns/history", { params: { ns }, query: { limit }, signal }),
  "GET /v1/namespaces/:ns/commits/:commit": ({ client, signal, params: { ns = "", commit = "" } }) =>
    client.request("GET /v1/namespaces/:ns/commits/:commit", { params: { ns, commit }, signal }),
  "GET /v1/operations": ({ client, signal, query: { limit = "200" } }) =>
    client.request("GET /v1/operations", { query: { limit }, signal }),
  "GET /v1/operations/:id": ({ client, signal, params: { id = "" } }) =>
    client.request("GET /v1/operations/:id", { params: { id }, signal }),
  "GET /v1/store": ({ client, signal }) => client.request("GET /v1/store", { signal, idleMs }),
} satisfies Routes<Api, Promise<unknown>>;

/** Every stream that it may follow. */
export const STREAMS = {
  "GET /v1/events": ({ client, signal }) =>
    client.stream("GET /v1/events", { query: { follow: "true", samples: "true" }, signal }),
  "GET /v1/operations/:id/events": ({ client, signal, params: { id = "" } }) =>
    client.stream("GET /v1/operations/:id/events", { params: { id }, signal }),
  "GET /v1/logs": ({ client, signal, query: { target = "", tail = "200" } }) =>
    client.stream("GET /v1/logs", { query: { target, tail, follow: "true" }, signal }),
} satisfies Routes<ApiStreams, AsyncIterable<unknown>>;

export interface Found<H> {
  readonly handler: H;
  readonly params: Readonly<Record<string, string>>;
}

/** The handler of a path among the routes. Pure. */
export function routeOf<H>(routes: Readonly<Record<string, H>>, path: string): Found<H> | undefined {
  const given = path.split("/");
  for (const [route, handler] of Object.entries(routes)) {
    const parts = route.slice("GET ".length).split("/");
    const params = parts.length === given.length ? paramsOf(parts, given) : undefined;
    if (params !== undefined) return { handler, params };
  }
  return undefined;
}

function paramsOf(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const text = given[at] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return undefined;
      continue;
    }
    const value = decoded(text);
    if (value === undefined || value === "") return undefined;
    params[part.slice(1)] = value;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
