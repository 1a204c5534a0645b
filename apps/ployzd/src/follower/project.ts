import { createHash } from "node:crypto";
import type { Route, RouteTable } from "@ployz/gateway";
import type { Commit, CommittedService } from "@ployz/primitives";

/** The last commit of a namespace and its revision. */
export interface Head {
  readonly revision: number;
  readonly commit: Commit;
}

/** What every gateway serves: the routes of all namespaces, in the order of their names. Pure. */
export function routesOf(heads: readonly Head[]): readonly { readonly owner: Head; readonly route: Route }[] {
  return heads.flatMap((owner) =>
    owner.commit.routes.map((route) => ({ owner, route: routeOf(owner.commit, route) })),
  );
}

function routeOf(commit: Commit, route: Commit["routes"][number]): Route {
  const { namespace } = commit;
  const backend = {
    id: `${namespace}/${route.service}/${route.port}`,
    servers: commit.instances.flatMap(({ id, service, address, ports }) => {
      const port = ports[route.port];
      return service === route.service && port !== undefined ? [{ id, address, port }] : [];
    }),
    check: checkOf(commit.services[route.service], route.port),
  };
  const key = route.kind === "http" ? `${route.host}${route.path}` : `tcp:${route.listen}`;
  const id = `${namespace}/${route.service}/${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
  return route.kind === "http"
    ? { kind: "http", id, host: route.host, path: route.path, backend }
    : { kind: "tcp", id, listenPort: route.listen, backend };
}

/** The gateway checks what readiness checked, where that was HTTP on the routed port; else that the port answers. */
function checkOf(service: CommittedService | undefined, port: string) {
  const ready = service?.spec.ready;
  return ready?.kind === "http" && ready.port === port
    ? ({ kind: "http", path: ready.path } as const)
    : ({ kind: "tcp" } as const);
}

export const tableVersion = (heads: readonly Head[]): string =>
  heads.map(({ commit, revision }) => `${commit.namespace}@${revision}`).join(" ");

/**
 * The largest table that is not contradictory. Two namespaces that claim one route cannot both have committed it through `deploy`;
 * if it happens all the same, the older commit keeps the route and the other is reported: one bad commit never stops all others.
 */
export function buildTable(
  heads: readonly Head[],
  isValid: (table: RouteTable) => boolean,
): { readonly table: RouteTable; readonly dropped: readonly string[] } {
  const version = tableVersion(heads);
  const byAge = [...routesOf(heads)]
    .sort((a, b) => a.owner.revision - b.owner.revision)
    .map(({ route }) => route);
  if (isValid({ version, routes: byAge })) return { table: { version, routes: byAge }, dropped: [] };
  const kept: Route[] = [];
  const dropped: string[] = [];
  for (const route of byAge) {
    if (isValid({ version, routes: [...kept, route] })) kept.push(route);
    else dropped.push(route.id);
  }
  return { table: { version, routes: kept }, dropped };
}
