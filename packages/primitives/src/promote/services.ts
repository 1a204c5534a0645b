import { specRevision } from "../manifest/revision.ts";
import { unbranchedHost } from "../model/branched-host.ts";
import type { Commit, CommittedService, RouteSpec } from "../model/commit.ts";
import { own } from "../model/own.ts";
import { placeOf } from "../model/route-place.ts";

type Promoted = {
  readonly services: Readonly<Record<string, CommittedService>>;
  readonly warnings: readonly string[];
};

/** The source's services behind the target's routes. What the source does not have stays in the target. */
export function promotedServices(from: Commit, to: Commit | undefined): Promoted {
  const warnings: string[] = [];
  const taken = Object.entries(from.services).map(([name, { spec }]): [string, CommittedService] => {
    const present = own(to?.services, name);
    const routes = present?.spec.routes ?? newRoutes(name, from, spec.routes, warnings);
    const placed = present?.spec.constraints;
    const { constraints: _, hostPorts: ports = [], ...rest } = spec;
    const hostPorts = present?.spec.hostPorts;
    if (present === undefined && ports.length > 0)
      warnings.push(`${name}: its host ports stay with ${from.namespace}; deploy adds some for the target`);
    const next = {
      ...rest,
      ...(present === undefined
        ? spec.constraints && { constraints: spec.constraints }
        : placed && { constraints: placed }),
      ...(hostPorts && { hostPorts }),
      routes,
    };
    return [name, { revision: specRevision(next), spec: next }];
  });
  const kept = Object.entries(to?.services ?? {}).filter(([name]) => !Object.hasOwn(from.services, name));
  if (kept.length > 0)
    warnings.push(
      `services that ${from.namespace} does not have stay as they are: ${kept.map(([name]) => name).join(", ")}`,
    );
  return { services: Object.fromEntries([...kept, ...taken].sort(([a], [b]) => (a < b ? -1 : 1))), warnings };
}

/** Of a service that the target does not have yet: a branch's own hosts without what the branch put in front of them. */
function newRoutes(
  service: string,
  from: Commit,
  routes: readonly RouteSpec[],
  warnings: string[],
): readonly RouteSpec[] {
  return routes.flatMap((route): RouteSpec[] => {
    const host = route.kind === "http" ? unbranchedHost(from.namespace, route.host) : undefined;
    if (route.kind === "http" && host !== undefined) return [{ ...route, host }];
    const what = placeOf(route);
    warnings.push(
      `${service}: its route ${what} stays with ${from.namespace}; deploy adds one for the target`,
    );
    return [];
  });
}
