import type { CommittedService, RouteSpec } from "./commit.ts";
import type { RouteOptions } from "./route-options.ts";

/** By their names in a manifest. */
const OPTIONS = {
  allow: "allow",
  deny: "deny",
  methods: "methods",
  limits: "limits",
  basicAuth: "basic_auth",
  stripPrefix: "strip_prefix",
  addPrefix: "add_prefix",
  requestHeaders: "headers",
  responseHeaders: "headers",
  sticky: "sticky",
  compression: "compression",
  log: "log",
} as const satisfies Readonly<Record<keyof RouteOptions, string>>;

/**
 * What a machine does that one of an earlier version leaves out without a word: it would open a route that has `allow`. A machine lists those that
 * it knows in its observation; a plan with another one is refused.
 */
export const FEATURES: readonly string[] = [
  ...new Set(Object.values(OPTIONS)),
  "redirect",
  "tls",
  "maintenance",
  "ready.grpc",
  "liveness",
  "canary",
];

export function featuresOf(route: RouteSpec): readonly string[] {
  if (route.kind !== "http") return [];
  const options = Object.keys(route.options ?? {}) as (keyof RouteOptions)[];
  return [
    ...options.map((option) => OPTIONS[option]),
    ...(route.redirect ? ["redirect"] : []),
    ...(route.tls ? ["tls"] : []),
  ];
}

export const serviceFeatures = ({ maintenance, canary, spec }: CommittedService): readonly string[] => [
  ...(maintenance ? ["maintenance"] : []),
  ...(spec.ready?.kind === "grpc" ? ["ready.grpc"] : []),
  ...(spec.liveness ? ["liveness"] : []),
  ...(canary ? ["canary"] : []),
];
