import type { CommittedService, JobSpec, RouteSpec, ServiceSpec } from "./commit.ts";
import type { ContainerSpec } from "./container.ts";
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

/** Settings of instances, by their names in a manifest. */
const CONTAINER = {
  capAdd: "cap_add",
  groupAdd: "group_add",
  init: "init",
  binds: "binds",
  devices: "devices",
} as const satisfies Partial<Record<keyof ContainerSpec, string>>;
const CONTAINER_FEATURES = Object.values(CONTAINER);

/** Instances that wait for the program of a stream. */
export const SESSIONS = "run.sessions";

/**
 * What a machine does that one of an earlier version leaves out without a word: it would open a route that has `allow`. A machine lists those that
 * it knows in its observation; a plan with another one is refused.
 */
export const FEATURES: readonly string[] = [
  ...new Set(Object.values(OPTIONS)),
  "redirect",
  "tls",
  "udp",
  "maintenance",
  "ready.grpc",
  "liveness",
  "canary",
  "tls-alpn-01",
  "host_ports",
  SESSIONS,
  ...CONTAINER_FEATURES,
];

export function featuresOf(route: RouteSpec): readonly string[] {
  if (route.kind !== "http") return route.kind === "udp" ? ["udp"] : [];
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
  ...(spec.hostPorts ? ["host_ports"] : []),
  ...containerFeatures(spec),
];

export const containerFeatures = ({ container = {} }: Pick<ServiceSpec | JobSpec, "container">) =>
  (Object.keys(CONTAINER) as (keyof typeof CONTAINER)[]).flatMap((field) =>
    container[field] === undefined ? [] : [CONTAINER[field]],
  );
