import { createHash } from "node:crypto";
import { keepsPath, type RouteOptions } from "./options.ts";
import { plainPath } from "./path.ts";
import type { HttpRoute, Route } from "./table.ts";

/** HAProxy's name of what answers a route's requests. Routes with the same instances and options share it. */
export function backendName(route: Route): string {
  if (route.kind === "redirect") return `redirect:${route.status}${keepsPath(route.to) ? ":path" : ""}`;
  const name = `${route.kind}:${route.backend.id.replaceAll("/", ":")}`;
  if (route.kind === "tcp") return name;
  const options = optionsOf(route);
  if (options === undefined) return name;
  const digest = createHash("sha256").update(JSON.stringify(options)).digest("hex").slice(0, 16);
  // An id has no empty part.
  return `${name}::${digest}`;
}

/** Options as one backend has them. A limit counts for its route alone. */
export interface DesiredOptions extends RouteOptions {
  readonly strip?: readonly string[];
  /** The cookie is for TLS only. */
  readonly secure?: true;
  readonly route?: string;
}

export function optionsOf({ id, options = {}, httpsOnly }: HttpRoute): DesiredOptions | undefined {
  const { stripPrefix, limits } = options;
  const given = {
    ...options,
    ...(stripPrefix !== undefined && {
      strip: [...new Set([stripPrefix, plainPath(stripPrefix) ?? stripPrefix])],
    }),
    ...(options.sticky !== undefined && httpsOnly === true && { secure: true as const }),
    ...((limits?.rate !== undefined || limits?.connections !== undefined) && { route: id }),
  };
  return Object.keys(given).length === 0 ? undefined : given;
}
