import type { RouteSpec } from "./commit.ts";

/** A route of a port. */
export type PortRoute = Exclude<RouteSpec, { readonly kind: "http" }>;

/** What a route takes, as people read it: `www.example.com/api`, or `UDP port 53`. */
export const placeOf = (route: RouteSpec): string =>
  route.kind === "http" ? `${route.host}${route.path}` : `${route.kind.toUpperCase()} port ${route.listen}`;

/** `http www.example.com/api`, `tcp 5432` or `udp 53`: equal for routes that cannot both be served. */
export const routeKey = (route: RouteSpec): string =>
  route.kind === "http" ? `http ${route.host}${onePath(route.path)}` : `${route.kind} ${route.listen}`;

/** Without a trailing slash, which means nothing to a gateway. */
export const normalPath = (path: string | undefined): string => path?.replace(/\/+$/, "") || "/";

/** Equal for spellings of one path, which gateways cannot tell apart: `/a%41` is `/aA`. Expects a path of the pattern `PATH`. */
export const onePath = (path: string | undefined): string =>
  normalPath(path).replace(/%[0-9A-Fa-f]{2}/g, (code) => {
    const letter = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return UNCODED.test(letter) ? letter : code.toUpperCase();
  });

const UNCODED = /[A-Za-z0-9._~+=:@,-]/;
