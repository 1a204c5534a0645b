import type { Refusal } from "../../engine/types.ts";
import { unbranchedHost } from "../../model/branched-host.ts";
import { certificateFor } from "../../model/certificate.ts";
import type { Commit, CommittedRoute, RouteSpec } from "../../model/commit.ts";
import { keptFor } from "../../model/kept-ports.ts";
import { type PortRoute, placeOf, routeKey } from "../../model/route-place.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

/** Routes that other namespaces, other programs or Ployz itself have. What the namespace routes already stays as it is. */
export function refuseRoutes(desired: Desired, facts: ChangeFacts): readonly Refusal[] {
  const had = new Set(facts.head?.commit.routes.map(routeKey));
  return Object.entries(desired.services).flatMap(([name, { spec }]) =>
    spec.routes.flatMap((route): readonly Refusal[] => {
      const field = `services.${name}.routes`;
      const wildcard = wildcardWithout(field, route, facts);
      if (wildcard !== undefined) return [wildcard];
      const taken = takenRoute(field, route, facts);
      if (taken !== undefined) return [taken];
      if (had.has(routeKey(route))) return [];
      return route.kind === "http"
        ? ownedHost(field, route.host, desired, facts)
        : takenPort(field, route, facts);
    }),
  );
}

/** A deploy issues a missing certificate, but for a wildcard it does not know how to prove it. */
function wildcardWithout(
  field: string,
  route: RouteSpec,
  { certificates }: ChangeFacts,
): Refusal | undefined {
  if (route.kind !== "http" || route.tls !== true || !route.host.startsWith("*.")) return undefined;
  if (certificateFor(route.host, certificates) !== undefined) return undefined;
  return {
    code: "certificate_missing",
    message: `${field}: no certificate is valid for ${route.host}`,
    hint: `issue it first: ployzctl cert issue '${route.host}' --dns PROVIDER --secret NAMESPACE/SECRET`,
  };
}

function takenRoute(field: string, route: RouteSpec, { others }: ChangeFacts): Refusal | undefined {
  const key = routeKey(route);
  for (const { commit } of others) {
    const theirs = commit.routes.find((one) => routeKey(one) === key);
    if (theirs === undefined) continue;
    const owner = `${commit.namespace}/${theirs.service}`;
    const other = route.kind === "http" ? "host or path" : "port";
    return {
      code: "route_taken",
      message: `${field}: ${placeOf(route)} is routed to ${owner}`,
      hint: `remove the route there first, or choose another ${other}`,
      details: { owner },
    };
  }
  return undefined;
}

/** Refuses routes that another namespace has taken since the plan was made. `undefined`: the commit takes no route. */
export function guardRoutes(
  { namespace, routes }: Pick<Commit, "namespace" | "routes">,
  { head, others }: ChangeFacts,
): ((heads: readonly Commit[]) => Refusal | undefined) | undefined {
  const keys = (commit: Commit | undefined) => new Set(commit?.routes.map(routeKey));
  const had = keys(head?.commit);
  const added = routes.filter((route) => !had.has(routeKey(route)));
  if (added.length === 0) return undefined;
  return (heads) => {
    for (const commit of heads) {
      if (commit.namespace === namespace) continue;
      const known = keys(others.find((other) => other.commit.namespace === commit.namespace)?.commit);
      const since = commit.routes.filter((route) => !known.has(routeKey(route)));
      for (const theirs of since) {
        const mine = added.find((route) =>
          clashes(route, theirs, commit.allowRoutesFrom?.includes(namespace)),
        );
        if (mine === undefined) continue;
        return {
          code: "route_taken",
          message: `services.${mine.service}.routes: ${mine.kind === "http" ? mine.host : placeOf(mine)} was taken by ${commit.namespace}/${theirs.service} meanwhile`,
          hint: `choose another, or remove the route of ${commit.namespace} first`,
          details: { owner: commit.namespace },
        };
      }
    }
    return undefined;
  };
}

const clashes = (one: CommittedRoute, other: CommittedRoute, consent = false): boolean =>
  routeKey(one) === routeKey(other) ||
  (!consent && one.kind === "http" && other.kind === "http" && overlaps(one.host, other.host));

/** When this namespace took the host: the id of the operation, which sorts by time. Commits from before 0.4 do not say. */
const tookAt = ({ since = "" }: CommittedRoute): string => since;

const overlaps = (one: string, other: string): boolean =>
  one === other || covers(one, other) || covers(other, one);

/** `*.example.com` covers `a.example.com`, and no deeper name. */
const covers = (wildcard: string, host: string): boolean =>
  wildcard.startsWith("*.") && host.replace(/^[^.]+/, "*") === wildcard;

/**
 * A host, with its paths and, for a wildcard, its children, belongs to the namespace that routed it first. Another one needs the owner's consent: a
 * deeper path, or the exact name below a wildcard, would take over what the owner serves. A branch has its source's for the names that
 * `branch` makes.
 */
function ownedHost(
  field: string,
  host: string,
  { namespace, branchedFrom }: Desired,
  { head, others }: ChangeFacts,
): readonly Refusal[] {
  const claim = (commit: Commit, fits: (route: string) => boolean) =>
    commit.routes
      .flatMap((route) => (route.kind === "http" && fits(route.host) ? [tookAt(route)] : []))
      .sort()[0];
  const mine =
    head === undefined ? undefined : claim(head.commit, (one) => one === host || covers(one, host));
  const [first] = others
    .flatMap(({ commit }) => {
      const since = claim(commit, (one) => overlaps(one, host));
      return since === undefined ? [] : [{ commit, since }];
    })
    .sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0));
  if (first === undefined || (mine !== undefined && mine <= first.since)) return [];
  const { commit } = first;
  const branched = branchedFrom === commit.namespace ? unbranchedHost(namespace, host) : undefined;
  if (
    commit.allowRoutesFrom?.includes(namespace) ||
    commit.routes.some((one) => one.kind === "http" && one.host === branched)
  )
    return [];
  return [
    {
      code: "route_taken",
      message: `${field}: ${host} belongs to namespace ${commit.namespace}, which routed it first`,
      hint: `choose another host, or deploy ${commit.namespace} with allow_routes_from = ["${namespace}"]`,
      details: { owner: commit.namespace },
    },
  ];
}

/** Every machine's gateway takes the port: HAProxy would refuse one that is in use after the commit, and a program's UDP port would go silent. */
function takenPort(field: string, route: PortRoute, { machines }: ChangeFacts): readonly Refusal[] {
  const { kind, listen: port } = route;
  for (const { record, observation } of machines) {
    const use = keptFor(kind, port) ?? keptFor(kind, port, observation?.keptPorts);
    if (use !== undefined)
      return [
        {
          code: "port_taken",
          message: `${field}: ${placeOf(route)} is kept for ${use} on ${record.id}`,
          hint: "choose another port",
        },
      ];
  }
  const there = machines.filter(({ observation }) =>
    (kind === "tcp" ? observation?.tcpPorts : observation?.udpPorts)?.includes(port),
  );
  if (there.length === 0) return [];
  const ids = there.map(({ record }) => record.id).join(", ");
  return [
    {
      code: "port_taken",
      message: `${field}: another program listens on ${placeOf(route)} of ${ids}`,
      hint: `choose another port, or stop the program: ss -${kind[0]}lnp 'sport = :${port}' shows it`,
    },
  ];
}
