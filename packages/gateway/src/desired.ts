import { createHash } from "node:crypto";

import { backendName, type DesiredOptions, optionsOf } from "./backend-names.ts";
import type { Check } from "./check.ts";
import { plainPath } from "./path.ts";
import {
  checkShape,
  type HttpRoute,
  isShared,
  normalPath,
  type Route,
  type RouteTable,
  type Server,
  type TcpRoute,
} from "./table.ts";

/** Everything of the configuration that does not come from the table. Addresses are `host:port`, checked before. */
export interface Settings {
  /** All with the same port. */
  readonly listen: readonly [Listen, ...Listen[]];
  /** The same; only while there is a certificate. */
  readonly httpsListen?: readonly [Listen, ...Listen[]];
  readonly statsListen?: Listen;
  /** Challenges TLS-ALPN-01 are answered there. `digest` changes with the proofs. */
  readonly proofs?: { readonly listen: readonly [Listen, ...Listen[]]; readonly digest: string };
  /** Absolute; holds the folders `certs` and `jail`. */
  readonly dir: string;
  /** The workers' user; root's own when left out. */
  readonly user?: string;
  readonly group?: string;
  readonly maxConnections?: number;
  /** Time for an old worker to finish its connections after a reload. */
  readonly hardStopMs: number;
  readonly requestTimeoutMs: number;
  readonly checkIntervalMs: number;
  /** CIDRs of load balancers in front. */
  readonly trustedProxies: readonly string[];
  /** They begin each connection with a PROXY header. */
  readonly proxyProtocol: boolean;
  readonly requestId: boolean;
  /** UDP port of 127.0.0.1 that takes the lines, and what each begins with. `all`: of every request, not only of routes with `log`. */
  readonly accessLog?: { readonly port: number; readonly key: string; readonly all: boolean };
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** A server slot's content. `drained`: in the table, but gets no new requests. */
export interface DesiredServer extends Server {
  readonly drained: boolean;
}

export interface DesiredBackend {
  /** HAProxy's name. */
  readonly name: string;
  readonly id: string;
  readonly mode: "http" | "tcp";
  readonly check: Check;
  readonly patient: boolean;
  readonly servers: readonly DesiredServer[];
  readonly options?: DesiredOptions;
}

/** HAProxy's desired state, as data: the configuration is rendered from it, and a running worker is compared with it. */
export interface Desired {
  readonly backends: readonly DesiredBackend[];
  /** Host and path to backend name; sorted. */
  readonly map: readonly (readonly [key: string, backend: string])[];
  /** Where the keys of redirects lead. */
  readonly redirects: readonly (readonly [key: string, to: string])[];
  /** The backends of redirects that are in use. */
  readonly redirectBackends: readonly string[];
  /** The keys of `map` with whether they are served over TLS only: empty while no route is. */
  readonly httpsOnly: readonly (readonly [key: string, only: "yes" | "no"])[];
  readonly ports: readonly { readonly port: number; readonly backend: string }[];
  /** Changes exactly when a reload is needed. */
  readonly structure: string;
}

/** Raise when the rendering changes in a way that a running HAProxy must pick up. */
export const RENDERING = 10;

export function project(table: RouteTable, settings: Settings, drained: ReadonlySet<string>): Desired {
  const backends = new Map<string, DesiredBackend>();
  const add = (route: HttpRoute | TcpRoute): string => {
    const name = backendName(route);
    const { backend } = route;
    const servers = backend.servers.map((server) => ({
      ...server,
      address: canonical(server.address),
      drained: drained.has(server.id),
    }));
    const options = route.kind === "http" ? optionsOf(route) : undefined;
    const { id, check = { kind: "tcp" }, patient = false } = backend;
    const shape = { name, id, mode: route.kind, check, patient, servers };
    backends.set(name, { ...shape, ...(options && { options }) });
    return name;
  };
  const map: [string, string][] = [];
  const httpsOnly: [string, "yes" | "no"][] = [];
  const redirects: [string, string][] = [];
  const ports: { port: number; backend: string }[] = [];
  for (const route of table.routes) {
    if (route.kind === "tcp") {
      ports.push({ port: route.listenPort, backend: add(route) });
      continue;
    }
    const backend = route.kind === "http" ? add(route) : backendName(route);
    for (const path of new Set([route.path, plainPath(route.path) ?? route.path])) {
      const key = `${route.host}${normalPath(path)}`;
      map.push([key, backend]);
      httpsOnly.push([key, route.httpsOnly === true ? "yes" : "no"]);
      if (route.kind === "redirect") redirects.push([key, route.to]);
    }
  }
  const byName = [...backends.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const desired = {
    backends: byName,
    map: map.sort(byKey),
    redirects: redirects.sort(byKey),
    redirectBackends: [...new Set(table.routes.flatMap(redirectBackend))].sort(),
    httpsOnly: httpsOnly.some(([, only]) => only === "yes") ? httpsOnly.sort(byKey) : [],
    ports: ports.sort((a, b) => a.port - b.port),
  };
  const structure = [
    RENDERING,
    settings,
    byName.map((backend) => [
      backend.name,
      checkShape(backend),
      ...(backend.mode === "tcp" && isShared(backend) ? ["shared"] : []),
    ]),
    desired.ports,
    desired.redirectBackends,
    desired.httpsOnly.length > 0,
  ];
  const digest = createHash("sha256").update(JSON.stringify(structure)).digest("hex").slice(0, 32);
  return { ...desired, structure: digest };
}

const redirectBackend = (route: Route): string[] => (route.kind === "redirect" ? [backendName(route)] : []);
const byKey = (a: readonly [string, string], b: readonly [string, string]): number => (a[0] < b[0] ? -1 : 1);

/** As HAProxy prints it (RFC 5952), so that addresses compare as strings. */
export const canonical = (address: string): string =>
  address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;

export const socketAddress = (server: { readonly address: string; readonly port: number }): string =>
  server.address.includes(":") ? `[${server.address}]:${server.port}` : `${server.address}:${server.port}`;
