import { backendName } from "./backend-names.ts";
import { isOdd, plainPath } from "./path.ts";
import { type HttpRoute, normalPath, type RedirectRoute, type RouteTable } from "./table.ts";

/**
 * The route that serves a request: an exact host before a wildcard, then the longest path. When no path of the exact host
 * fits, the wildcard's are tried. `host` as in the Host header. `ambiguous`: another reading of the path leads to another backend, or
 * out of all of them.
 */
export function chooseRoute(
  table: RouteTable,
  host: string,
  path: string,
): HttpRoute | RedirectRoute | "ambiguous" | undefined {
  const name = host.replace(/:\d*$/, "").toLowerCase().replace(/\.+$/, "");
  const longest = (candidate: string, asked: string): HttpRoute | RedirectRoute | undefined => {
    const fits = table.routes.filter(
      (route): route is HttpRoute | RedirectRoute =>
        route.kind !== "tcp" &&
        route.host === candidate &&
        [route.path, plainPath(route.path) ?? route.path].some((one) =>
          `${asked}/`.startsWith(normalPath(one)),
        ),
    );
    return fits.sort((a, b) => normalPath(b.path).length - normalPath(a.path).length)[0];
  };
  const choose = (asked: string): HttpRoute | RedirectRoute | undefined =>
    longest(name, asked) ?? longest(name.replace(/^[^.]+/, "*"), asked);
  const plain = isOdd(path) ? plainPath(path) : path;
  if (plain === undefined) return "ambiguous";
  const chosen = choose(path);
  const other = choose(plain);
  if (chosen === undefined || (other !== undefined && backendName(other) === backendName(chosen)))
    return chosen;
  return "ambiguous";
}
