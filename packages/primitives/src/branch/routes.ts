import { branchedHost } from "../model/branched-host.ts";
import type { RouteSpec } from "../model/commit.ts";

const MAX_LABEL = 63;

/** The routes of a branch: renamed by rule or as asked. What has no name of its own there is left out, and said. */
export function branchedRoutes(
  namespace: string,
  routes: readonly RouteSpec[],
  renamed: Readonly<Record<string, string>>,
): { readonly routes: readonly RouteSpec[]; readonly left: readonly string[] } {
  const left: string[] = [];
  const next = routes.flatMap((route): RouteSpec[] => {
    const old = route.kind === "http" ? route.host : String(route.listen);
    const asked = Object.hasOwn(renamed, old) ? renamed[old] : undefined;
    if (route.kind === "tcp") {
      if (asked !== undefined) return [{ ...route, listen: Number(asked) }];
      left.push(`TCP port ${old}`);
      return [];
    }
    const host = asked ?? branchedHost(namespace, route.host);
    const [first = ""] = host.split(".");
    if (asked === undefined && (route.host.startsWith("*") || first.length > MAX_LABEL)) {
      left.push(route.host);
      return [];
    }
    return [{ ...route, host }];
  });
  return { routes: next, left };
}
