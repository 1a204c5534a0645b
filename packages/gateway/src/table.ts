import { isIP } from "node:net";
import { type Check, checkFaults } from "./check.ts";
import { isRedirectTarget, optionFaults, type RouteOptions } from "./options.ts";
import { plainPath } from "./path.ts";

/** The routes of a gateway. `version` is opaque to it, and reported back once the table is in effect. */
export interface RouteTable {
  readonly version: string;
  readonly routes: readonly Route[];
}

/** HTTP by host and path, to instances or elsewhere, or TCP by port. */
export type Route = HttpRoute | RedirectRoute | TcpRoute;

/** A host and path. */
interface Place {
  readonly id: string;
  /** Lower-case, no port; exact (`www.example.com`) or one wildcard label (`*.example.com`, which takes `a.example.com` and not `a.b.example.com`). */
  readonly host: string;
  /** Prefix on segment boundaries: `/api` takes `/api` and `/api/x`, not `/apix`. A trailing slash means nothing. Case-sensitive. */
  readonly path: string;
  /** Answers requests over plain HTTP with a redirect (308) to `https`. */
  readonly httpsOnly?: boolean;
}

/** Requests of one host and path. */
export interface HttpRoute extends Place {
  readonly kind: "http";
  readonly backend: Backend;
  readonly options?: RouteOptions;
}

/** Sends clients of one host and path elsewhere. */
export interface RedirectRoute extends Place {
  readonly kind: "redirect";
  /** A URL, or a path of the same host; without a path, the request's path and query are kept. */
  readonly to: string;
  readonly status: 301 | 302 | 307 | 308;
}

/** Connections to one port of the machine. */
export interface TcpRoute {
  readonly kind: "tcp";
  readonly id: string;
  readonly listenPort: number;
  readonly backend: Backend;
}

/** The servers that answer the requests of a route. */
export interface Backend {
  /** Stable over deploys, e.g. `prod/web/http`: only its servers change without a reload. */
  readonly id: string;
  readonly servers: readonly Server[];
  /** Default `tcp`. */
  readonly check?: Check;
  /** The only server: an answer that takes long is better than none, so a check waits for 30 s. */
  readonly patient?: boolean;
}

/** One instance behind a backend. */
export interface Server {
  readonly id: string;
  /** IPv4 or IPv6 literal. */
  readonly address: string;
  readonly port: number;
  /** 1 to 256: its part of the requests, beside those of the other servers. Default 1. */
  readonly weight?: number;
}

/** Malformed, at odds with another route, or two backends of one id that differ. */
export type RouteRefusalCode = "route_invalid" | "route_clash" | "backend_conflict";

/** Why a table is not served. `owners` are the ids of the routes or backends at fault. */
export interface RouteRefusal {
  readonly code: RouteRefusalCode;
  readonly message: string;
  readonly owners: readonly string[];
}

/** One table of several, or why they cannot be served together. */
export type MergeResult =
  | { readonly ok: true; readonly table: RouteTable }
  | { readonly ok: false; readonly refusals: readonly RouteRefusal[] };

/** What a machine cannot serve. */
export interface TableLimits {
  /** Ports that the gateway itself listens on, which no TCP route may take. */
  readonly reservedPorts?: readonly number[];
}

const ROUTE_ID = /^[A-Za-z0-9][A-Za-z0-9._/:-]{0,199}$/;
const BACKEND_ID = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** The `pchar`s and `/` of RFC 3986: nothing that a configuration line, a map line or a command could take for syntax. */
const PATH = /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}$/;

/** Every path ends in a slash inside the gateway, so that prefixes end on segment boundaries. */
export function normalPath(path: string): string {
  return `${path.replace(/\/+$/, "")}/`;
}

function isHost(host: string): boolean {
  if (typeof host !== "string" || host.length > 253) return false;
  const labels = host.split(".");
  const wildcard = labels[0] === "*";
  const rest = wildcard ? labels.slice(1) : labels;
  return rest.length > 0 && rest.every((label) => LABEL.test(label));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A route whose own path has two readings would be refused with each request. */
const isPath = (path: string): boolean =>
  typeof path === "string" && PATH.test(path) && !/;|\/\//.test(path) && plainPath(path) !== undefined;

function* backendFaults(backend: Backend): Generator<string> {
  if (typeof backend.id !== "string" || backend.id.length > 200 || !BACKEND_ID.test(backend.id))
    yield `backend id ${show(backend.id)} is not a slash-separated name`;
  if (backend.check?.kind === "http") yield* checkFaults(backend.check);
  const ids = new Set<string>();
  const sockets = new Set<string>();
  for (const server of backend.servers) {
    if (typeof server.id !== "string" || !ROUTE_ID.test(server.id))
      yield `server id ${show(server.id)} is not a name`;
    if (typeof server.address !== "string" || isIP(server.address) === 0 || server.address.includes("%"))
      yield `server ${show(server.id)} has address ${show(server.address)}, which is not an IP address`;
    if (!isPort(server.port))
      yield `server ${show(server.id)} has port ${show(server.port)}, which is not 1 to 65535`;
    const { weight = 1 } = server;
    if (!Number.isInteger(weight) || weight < 1 || weight > 256)
      yield `server ${show(server.id)} has weight ${show(weight)}, which is not 1 to 256`;
    if (ids.has(server.id)) yield `server ${show(server.id)} is listed twice`;
    const socket = `${server.address} ${server.port}`;
    if (sockets.has(socket))
      yield `server ${show(server.id)} shares ${socket.replace(" ", " port ")} with another server`;
    ids.add(server.id);
    sockets.add(socket);
  }
}

function* routeFaults(route: Route, reserved: readonly number[]): Generator<string> {
  if (typeof route.id !== "string" || !ROUTE_ID.test(route.id))
    yield `route id ${show(route.id)} is not a name`;
  if (route.kind === "http" || route.kind === "redirect") {
    if (!isHost(route.host))
      yield `host ${show(route.host)} is not a lower-case host name or *.name (write names without port, in ASCII)`;
    if (!isPath(route.path))
      yield `path ${show(route.path)} is not a URL path that starts with /, without . and .. segments, // and ;`;
    if (route.kind === "http") yield* optionFaults(route.options ?? {}, route.path);
    else if (!isRedirectTarget(route.to) || ![301, 302, 307, 308].includes(route.status))
      yield `redirect ${show(route.status)} to ${show(route.to)} is not one to a URL`;
  } else if (route.kind === "tcp") {
    if (!isPort(route.listenPort)) yield `listen port ${show(route.listenPort)} is not 1 to 65535`;
    else if (reserved.includes(route.listenPort))
      yield `listen port ${route.listenPort} is the gateway's own listener`;
  } else {
    yield "route is neither http nor tcp";
  }
}

/** All faults of a table, in the order of its routes; empty when it can be served. */
export function validateTable(table: RouteTable, limits: TableLimits = {}): readonly RouteRefusal[] {
  const claims = noClaims();
  return table.routes.flatMap((route) => {
    const refusals = refusalsOf(route, claims, limits);
    claim(route, claims);
    return refusals;
  });
}

/**
 * The table without the routes that are at fault by themselves, or at odds with an earlier one that is kept, and the ids of those. Looks
 * at each route once.
 */
export function servableTable(
  table: RouteTable,
  limits: TableLimits = {},
): { readonly table: RouteTable; readonly dropped: readonly string[] } {
  const claims = noClaims();
  const dropped: string[] = [];
  const routes = table.routes.filter((route) => {
    const kept = refusalsOf(route, claims, limits).length === 0;
    if (kept) claim(route, claims);
    else dropped.push(route.id);
    return kept;
  });
  return { table: { ...table, routes }, dropped };
}

/** What the routes so far have taken: places and ports by the route that has them, backends by id. */
interface Claims {
  readonly places: Map<string, string>;
  readonly backends: Map<string, { readonly shape: string; readonly route: string }>;
}
const noClaims = (): Claims => ({ places: new Map(), backends: new Map() });

const placeOf = (route: Route): string =>
  route.kind === "tcp"
    ? `tcp port ${route.listenPort}`
    : `${route.host}${normalPath(plainPath(route.path) ?? route.path)}`;

function claim(route: Route, { places, backends }: Claims): void {
  const place = placeOf(route);
  if (!places.has(place)) places.set(place, route.id);
  if (route.kind === "redirect" || backends.has(route.backend.id)) return;
  backends.set(route.backend.id, { shape: backendShape(route.backend), route: route.id });
}

function refusalsOf(route: Route, claims: Claims, limits: TableLimits): readonly RouteRefusal[] {
  const refusals: RouteRefusal[] = [
    ...routeFaults(route, limits.reservedPorts ?? []),
    ...(route.kind === "redirect" ? [] : backendFaults(route.backend)),
  ].map((message) => ({
    code: "route_invalid",
    message: `route ${show(route.id)}: ${message}`,
    owners: [route.id],
  }));
  const place = placeOf(route);
  const owner = claims.places.get(place);
  if (owner !== undefined)
    refusals.push({
      code: "route_clash",
      message: `routes ${show(owner)} and ${show(route.id)} both claim ${place}`,
      owners: [owner, route.id],
    });
  if (route.kind === "redirect") return refusals;
  const other = claims.backends.get(route.backend.id);
  if (other !== undefined && other.shape !== backendShape(route.backend))
    refusals.push({
      code: "backend_conflict",
      message: `routes ${show(other.route)} and ${show(route.id)} describe backend ${show(route.backend.id)} differently`,
      owners: [other.route, route.id],
    });
  return refusals;
}

/** Joins the tables of several owners (namespaces); refused when two of them claim the same host and path, or TCP port. */
export function mergeRoutes(tables: readonly RouteTable[], limits: TableLimits = {}): MergeResult {
  const table = {
    version: tables.map((one) => one.version).join(","),
    routes: tables.flatMap((one) => one.routes),
  };
  const refusals = validateTable(table, limits);
  return refusals.length === 0 ? { ok: true, table } : { ok: false, refusals };
}

function backendShape(backend: Backend): string {
  const servers = backend.servers
    .map((server) => [server.id, server.address, server.port, server.weight ?? 1].join(" "))
    .sort();
  return JSON.stringify([servers, checkShape(backend)]);
}

/** All that the lines of a check are made of. */
export const checkShape = ({ check, patient }: Backend): string =>
  JSON.stringify([check ?? { kind: "tcp" }, patient === true]);

export const weightOf = ({ weight = 1 }: Pick<Server, "weight">): number => weight;

/** By number of connections, the heaviest of several idle servers would get all: shares are by turns. */
export const isShared = ({ servers }: Pick<Backend, "servers">): boolean =>
  servers.some((server) => server.weight !== undefined);

/** A value from outside inside a message: quoted, bounded, without control characters. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}..."` : text;
}
