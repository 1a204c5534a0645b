import Type, { type Static } from "typebox";
import { count, list, map, object, text } from "./schema.ts";

/** What gateways do with the requests of an HTTP route besides sending them to an instance. Sizes are bytes. */
export const RouteOptions = object({
  /** CIDRs. Other clients are refused. */
  allow: Type.Optional(list(text())),
  /** CIDRs that are refused, also those that `allow` names. */
  deny: Type.Optional(list(text())),
  methods: Type.Optional(list(text())),
  limits: Type.Optional(
    object({
      bodyBytes: Type.Optional(count()),
      /** Requests of one client in `windowMs`. */
      rate: Type.Optional(object({ count: count(), windowMs: count() })),
      /** Requests of one client at once. */
      connections: Type.Optional(count()),
      /** Time for an instance to answer. */
      timeoutMs: Type.Optional(Type.Union([count(), Type.Literal("none")])),
    }),
  ),
  /** The name of a secret with the users: see `basicUsers`. */
  basicAuth: Type.Optional(object({ secret: text() })),
  stripPrefix: Type.Optional(text()),
  addPrefix: Type.Optional(text()),
  /** An empty value removes the header. */
  requestHeaders: Type.Optional(map(text())),
  responseHeaders: Type.Optional(map(text())),
  sticky: Type.Optional(Type.Literal("cookie")),
  compression: Type.Optional(Type.Literal(true)),
  log: Type.Optional(Type.Literal(true)),
});
export type RouteOptions = Static<typeof RouteOptions>;

/** Where a redirect leads: a URL or a path. Without a path, the request's path and query are kept. */
export const RouteRedirect = object({
  to: text(),
  status: Type.Union([Type.Literal(301), Type.Literal(302), Type.Literal(307), Type.Literal(308)]),
});
export type RouteRedirect = Static<typeof RouteRedirect>;
