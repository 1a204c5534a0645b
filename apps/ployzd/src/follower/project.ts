import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  type Backend,
  type Check,
  type Route,
  type RouteTable,
  type Server,
  servableTable,
  type TableLimits,
} from "@ployz/gateway";
import {
  type BasicUser,
  type Commit,
  type CommittedService,
  canaryOf,
  type Readiness,
} from "@ployz/primitives/protocol";
import { weightsOf } from "./shares.ts";

/** The last commit of a namespace and its revision. */
export interface Head {
  readonly revision: number;
  readonly commit: Commit;
}

/** The routes of all namespaces that HAProxy serves on every machine, sorted by name. Pure. */
export function routesOf(
  heads: readonly Head[],
  usersOf: UsersOf = nobody,
): readonly { readonly owner: Head; readonly route: Route }[] {
  return heads.flatMap((owner) =>
    owner.commit.routes.flatMap((route) =>
      isUdp(route) ? [] : [{ owner, route: routeOf(owner.commit, route, usersOf) }],
    ),
  );
}

/** A port, and the instances that take what comes to it. */
export interface RoutedPort {
  readonly id: string;
  readonly listen: number;
  readonly backend: Pick<Backend, "id" | "servers">;
}

/** The UDP routes of all namespaces, by port. Of two with one port the older commit keeps it, as in `buildTable`. Pure. */
export function udpRoutesOf(heads: readonly Head[]): {
  readonly routes: readonly RoutedPort[];
  readonly dropped: readonly string[];
} {
  const kept = new Map<number, RoutedPort>();
  const dropped: string[] = [];
  for (const { commit } of [...heads].sort((a, b) => a.revision - b.revision))
    for (const route of commit.routes) {
      if (!isUdp(route)) continue;
      const id = routeId(commit.namespace, route);
      if (kept.has(route.listen)) dropped.push(id);
      else kept.set(route.listen, { id, listen: route.listen, backend: backendOf(commit, route) });
    }
  return { routes: [...kept.values()].sort((a, b) => a.listen - b.listen), dropped };
}

type AnyRoute = Commit["routes"][number];
type UdpRoute = Extract<AnyRoute, { readonly kind: "tcp" | "udp" }> & { readonly kind: "udp" };
const isUdp = (route: AnyRoute): route is UdpRoute => route.kind === "udp";

/** The users in a secret, for the routes of a namespace. Without them every client is refused. */
export type UsersOf = (namespace: string, secret: string) => readonly BasicUser[];
const nobody: UsersOf = () => [];

function routeOf(commit: Commit, route: Exclude<AnyRoute, UdpRoute>, usersOf: UsersOf): Route {
  const { namespace } = commit;
  const id = routeId(namespace, route);
  if (route.kind !== "http")
    return { kind: "tcp", id, listenPort: route.listen, backend: backendOf(commit, route) };
  const place = {
    ...{ id, host: route.host, path: route.path },
    ...(route.tls === true && route.http !== "serve" && { httpsOnly: true }),
  };
  if (route.redirect) return { kind: "redirect", ...place, ...route.redirect };
  if (commit.services[route.service]?.maintenance)
    return {
      ...{ kind: "http", ...place, backend: backendOf(commit, route) },
      options: { maintenance: true, ...(route.options?.log && { log: true }) },
    };
  const { basicAuth, ...options } = route.options ?? {};
  return {
    ...{ kind: "http", ...place, backend: backendOf(commit, route) },
    ...(route.options && {
      options: {
        ...options,
        ...(basicAuth && {
          basicAuth: { realm: namespace, users: usersOf(namespace, basicAuth.secret) },
        }),
      },
    }),
  };
}

function backendOf(commit: Commit, { service, port = "" }: Commit["routes"][number]): Backend {
  const canary = canaryOf(commit, service);
  const own = serversOf(commit, service, port);
  const tried = canary === undefined ? [] : serversOf(commit, canary.name, port);
  const weights =
    canary !== undefined && own.length > 0 && tried.length > 0
      ? weightsOf(own.length, tried.length, canary.share)
      : undefined;
  const check = checkOf(commit.services[service]?.spec.ready, port);
  // One question for all servers of a backend: where the versions differ, only the port is asked.
  const same = canary === undefined || isDeepStrictEqual(check, checkOf(canary.spec.ready, port));
  return {
    id: `${commit.namespace}/${service}/${port}`,
    servers: [
      ...own.map((server) => ({ ...server, ...(weights && { weight: weights.first }) })),
      ...tried.map((server) => ({ ...server, ...(weights && { weight: weights.second }) })),
    ],
    check: same ? check : { kind: "tcp" },
    ...(isAlone(commit.services[service]) && { patient: true }),
  };
}

const serversOf = (commit: Commit, service: string, port: string): readonly Server[] =>
  commit.instances.flatMap((instance) => {
    const listens = instance.ports[port];
    const { id, address } = instance;
    return instance.service === service && listens !== undefined ? [{ id, address, port: listens }] : [];
  });

/** The route's id at the gateways: it stays the same as long as host and path, or port, and service do. */
export function routeId(namespace: string, route: Commit["routes"][number]): string {
  const key = route.kind === "http" ? `${route.host}${route.path}` : `${route.kind}:${route.listen}`;
  return `${namespace}/${route.service}/${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
}

/** The gateway repeats the readiness check if that was HTTP on the routed port; otherwise it checks that the port answers. */
function checkOf(ready: Readiness | undefined, port: string): Check {
  if (ready?.kind !== "http" || ready.port !== port) return { kind: "tcp" };
  const { path, host, headers, status } = ready;
  return {
    ...{ kind: "http", path },
    ...(host !== undefined && { host }),
    ...(headers && { headers }),
    ...(status && { status }),
  };
}

/** By its spec: while a deploy replaces the only instance there are two for a moment. */
const isAlone = (service: CommittedService | undefined): boolean =>
  service?.spec.placement?.kind === "replicas" && service.spec.placement.count === 1;

export const tableVersion = (heads: readonly Head[]): string =>
  heads.map(({ commit, revision }) => `${commit.namespace}@${revision}`).join(" ");

/**
 * The table of all routes without conflicts. `deploy` never commits one route for two namespaces; if it happens anyway, the older commit
 * keeps the route and the other is reported: one bad commit never blocks the others.
 */
export function buildTable(
  heads: readonly Head[],
  limits: TableLimits = {},
  usersOf: UsersOf = nobody,
): { readonly table: RouteTable; readonly dropped: readonly string[] } {
  const routes = [...routesOf(heads, usersOf)]
    .sort((a, b) => a.owner.revision - b.owner.revision)
    .map(({ route }) => route);
  return servableTable({ version: tableVersion(heads), routes }, limits);
}
