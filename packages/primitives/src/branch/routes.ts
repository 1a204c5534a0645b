import { branchedHost } from "../model/branched-host.ts";
import type { RouteSpec } from "../model/commit.ts";
import type { RouteRedirect } from "../model/route-options.ts";
import { placeOf } from "../model/route-place.ts";

const MAX_LABEL = 63;

/** The routes of a branch: renamed by rule or as asked. What has no name of its own there is left out, and said. */
export function branchedRoutes(
  namespace: string,
  routes: readonly RouteSpec[],
  renamed: Readonly<Record<string, string>>,
): { readonly routes: readonly RouteSpec[]; readonly left: readonly string[] } {
  const left: string[] = [];
  const hosts = new Set(routes.flatMap((route) => (route.kind === "http" ? [route.host] : [])));
  /** A redirect between hosts of the source is one between hosts of the branch. */
  const redirectOf = (redirect: RouteRedirect): RouteRedirect => {
    const [scheme, , host = "", ...path] = redirect.to.split("/");
    if (!hosts.has(host)) return redirect;
    const own = Object.hasOwn(renamed, host) ? renamed[host] : branchedHost(namespace, host);
    return { ...redirect, to: [scheme, "", own, ...path].join("/") };
  };
  const next = routes.flatMap((route): RouteSpec[] => {
    const old = route.kind === "http" ? route.host : String(route.listen);
    const asked = Object.hasOwn(renamed, old) ? renamed[old] : undefined;
    if (route.kind !== "http") {
      if (asked !== undefined) return [{ ...route, listen: Number(asked) }];
      left.push(placeOf(route));
      return [];
    }
    const host = asked ?? branchedHost(namespace, route.host);
    const [first = ""] = host.split(".");
    if (asked === undefined && (route.host.startsWith("*") || first.length > MAX_LABEL)) {
      left.push(route.host);
      return [];
    }
    return [{ ...route, host, ...(route.redirect && { redirect: redirectOf(route.redirect) }) }];
  });
  return { routes: next, left };
}
