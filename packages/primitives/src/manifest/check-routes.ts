import { isIP } from "node:net";
import type { Refusal } from "../error-codes.ts";
import { didYouMean } from "../model/did-you-mean.ts";
import { invalid, type Segment } from "../model/field.ts";
import { keptFor } from "../model/kept-ports.ts";
import { bytesOf, LIMITS } from "../model/limits.ts";
import { shown } from "../model/names.ts";
import { normalPath, onePath } from "../model/route-place.ts";
import { checkDuration } from "./bounds.ts";
import { OPTION_FIELDS } from "./route-schema.ts";
import type { ManifestRoute, ManifestService } from "./schema.ts";
import { sizeBytes } from "./units.ts";

type At = readonly Segment[];

/** One route by itself. */
export function checkRoute(at: At, route: ManifestRoute, service: ManifestService): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const refuse = (field: Segment, message: string, hint?: string) =>
    refusals.push(invalid([...at, field], message, hint));
  if ([route.host, route.tcp, route.udp].filter((one) => one !== undefined).length !== 1)
    refusals.push(invalid(at, "needs either `host` (HTTP), or `tcp` or `udp` (a port to listen on)"));
  for (const kind of ["tcp", "udp"] as const) {
    const listen = route[kind];
    if (listen === undefined) continue;
    for (const field of ["path", "redirect", "status", ...OPTION_FIELDS] as const)
      if (route[field] !== undefined) refuse(field, "is for HTTP routes only");
    const use = keptFor(kind, listen);
    if (use !== undefined) refuse(kind, `port ${listen} is kept for ${use}`, "choose another port");
    if (route.tls !== undefined) refuse("tls", "is for HTTP routes only", "let the service speak TLS itself");
  }
  if (route.http !== undefined && route.tls !== true)
    refuse("http", "is for routes with `tls = true` only", "leave `http` out");
  if (route.redirect === undefined) {
    if (route.status !== undefined) refuse("status", "is for routes with `redirect` only", "leave it out");
    return [...refusals, ...checkPort(at, route.port, service), ...checkOptions(at, route)];
  }
  if (!URL.canParse(route.redirect, "http://host"))
    refuse("redirect", `${shown(route.redirect)} is not a URL`);
  for (const field of ["port", ...OPTION_FIELDS] as const)
    if (route[field] !== undefined)
      refuse(field, "is not for a redirect, which no instance answers", "leave it out");
  return refusals;
}

/** Rules beyond the patterns. */
function checkOptions(at: At, route: ManifestRoute): readonly Refusal[] {
  const { limits, strip_prefix: prefix, path = "/" } = route;
  const body = limits?.body === undefined ? undefined : (sizeBytes(limits.body) ?? 0);
  return [
    ...(["allow", "deny"] as const).flatMap((field) =>
      (route[field] ?? []).flatMap((network, index) =>
        isNetwork(network)
          ? []
          : [
              invalid(
                [...at, field, index],
                `${shown(network)} is not a network`,
                'for example "10.0.0.0/8"',
              ),
            ],
      ),
    ),
    ...(prefix === undefined || `${normalPath(path)}/`.startsWith(`${prefix.replace(/\/+$/, "")}/`)
      ? []
      : [
          invalid(
            [...at, "strip_prefix"],
            `the route's path ${path} does not begin with ${prefix}`,
            `add path = "${prefix}" to the route`,
          ),
        ]),
    ...(body !== undefined && (body < 1 || body > LIMITS.size)
      ? [invalid([...at, "limits", "body"], `must be from 1K to 8191T, not ${limits?.body}`)]
      : []),
    ...(limits?.timeout === undefined || limits.timeout === "none"
      ? []
      : checkDuration([...at, "limits", "timeout"], limits.timeout, 1)),
    ...(["request", "response"] as const).flatMap((side) =>
      checkHeaders([...at, "headers", side], side, route.headers?.[side] ?? {}),
    ),
  ];
}

/** They frame the message, or belong to one connection of it (RFC 9110, 7.6.1). */
const FRAMING =
  /^(connection|content-length|http2-settings|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/;
/** The gateway's own: instances trust them. */
const FORWARDED = /^(forwarded|x[^a-z0-9]forwarded.*|x[^a-z0-9](real|client)[^a-z0-9]ip)$/;

export function checkHeaders(
  at: At,
  side: "request" | "response" | "check",
  headers: Readonly<Record<string, string>>,
): readonly Refusal[] {
  const seen = new Set<string>();
  const refusals: Refusal[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (FRAMING.test(lower)) refusals.push(invalid([...at, name], "belongs to the connection"));
    else if (side === "request" && FORWARDED.test(lower))
      refusals.push(invalid([...at, name], "is set by the gateway itself"));
    else if (side === "check" && lower === "host")
      refusals.push(invalid([...at, name], "is the field `host`"));
    else if (side === "request" && lower === "host" && !/^[A-Za-z0-9.-]+(:[0-9]{1,5})?$/.test(value))
      refusals.push(invalid([...at, name], `${shown(value)} is not a host name`));
    if (seen.has(lower)) refusals.push(invalid([...at, name], "is given twice", "keep one of them"));
    seen.add(lower);
  }
  const bytes = bytesOf(Object.entries(headers).flat().join(""));
  return bytes <= LIMITS.headers
    ? refusals
    : [
        ...refusals,
        invalid(at, `the headers take ${bytes} bytes together; at most ${LIMITS.headers} are allowed`),
      ];
}

function isNetwork(text: string): boolean {
  const [address = "", bits] = text.split("/");
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128));
}

/** `port` may be left out when there is no choice. */
export function checkPort(
  at: At,
  port: string | undefined,
  service: ManifestService,
  field = "port",
): Refusal[] {
  const ports = Object.keys(service.ports ?? {});
  if (port === undefined) {
    if (ports.length === 1) return [];
    const why =
      ports.length === 0 ? "the service has no `ports`" : `the service has several: ${ports.join(", ")}`;
    return [invalid([...at, field], `is required: ${why}`)];
  }
  if (ports.includes(port)) return [];
  const near = didYouMean(port, ports);
  const hint = near === undefined ? `add it to the service's \`ports\`` : `did you mean \`${near}\`?`;
  return [invalid([...at, field], `the service has no port ${shown(port)}`, hint)];
}

/** All routes of a manifest together: each place once, and no redirect to itself. */
export function checkRoutes(services: readonly (readonly [string, ManifestService])[]): Refusal[] {
  const owners = new Map<string, string>();
  const refusals: Refusal[] = [];
  const all = services.flatMap(([name, service]) =>
    (service.routes ?? []).map((route, index) => ({
      at: ["services", name, "routes", index],
      name,
      index,
      route,
    })),
  );
  for (const { at, name, index, route } of all) {
    const key = keyOf(route);
    const owner = owners.get(key);
    if (owner !== undefined) refusals.push(invalid(at, `${key} is routed by ${owner} already`));
    else owners.set(key, `services.${name}.routes[${index}]`);
    if (
      loops(
        route,
        all.map((one) => one.route),
      )
    )
      refusals.push(invalid([...at, "redirect"], `${shown(route.redirect ?? "")} leads to this route again`));
  }
  return refusals;
}

const keyOf = ({ host, path, tcp, udp }: ManifestRoute): string =>
  host !== undefined ? `${host}${onePath(path)}` : tcp !== undefined ? `TCP port ${tcp}` : `UDP port ${udp}`;

function loops(route: ManifestRoute, routes: readonly ManifestRoute[]): boolean {
  if (route.redirect === undefined || route.host === undefined) return false;
  const own = route.host.replace("*", "any");
  if (!URL.canParse(route.redirect, `http://${own}`)) return false;
  const url = new URL(route.redirect, `http://${own}`);
  if (url.hostname !== own) return false;
  if (!/[^/:]\//.test(route.redirect) && !route.redirect.startsWith("/")) return true;
  const [best] = routes
    .filter((one) => one.host === route.host && `${url.pathname}/`.startsWith(slashed(one.path)))
    .sort((a, b) => slashed(b.path).length - slashed(a.path).length);
  return best === route;
}

const slashed = (path: string | undefined): string => `${path?.replace(/\/+$/, "") ?? ""}/`;
