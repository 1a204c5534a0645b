import type { RouteSpec } from "../model/commit.ts";
import type { RouteOptions } from "../model/route-options.ts";
import type { ManifestRoute } from "./schema.ts";
import { durationMs, formatDuration, formatSize, sizeBytes } from "./units.ts";

type Http = Extract<RouteSpec, { kind: "http" }>;
const WINDOWS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** The options of a checked route; nothing where it has none. Fields in the order of the model. */
export function normalOptions(route: ManifestRoute): Pick<Http, "options"> {
  const { allow, deny, methods, limits, sticky, compression, headers } = route;
  const options: RouteOptions = {
    ...(allow && { allow: [...allow].sort() }),
    ...(deny && { deny: [...deny].sort() }),
    ...(methods && { methods: [...methods].sort() }),
    ...(limits && { limits: normalLimits(limits) }),
    ...(route.basic_auth && { basicAuth: { secret: route.basic_auth.secret } }),
    ...(route.strip_prefix !== undefined && trimmed("stripPrefix", route.strip_prefix)),
    ...(route.add_prefix !== undefined && trimmed("addPrefix", route.add_prefix)),
    ...filled("requestHeaders", headers?.request),
    ...filled("responseHeaders", headers?.response),
    ...(sticky && { sticky }),
    ...(compression === true && { compression }),
    ...(route.log === true && { log: true as const }),
  };
  return Object.keys(options).length === 0 ? {} : { options };
}

/** `/` says nothing. */
function trimmed(
  field: "stripPrefix" | "addPrefix",
  path: string,
): { readonly [F in typeof field]?: string } {
  const plain = path.replace(/\/+$/, "");
  return plain === "" ? {} : { [field]: plain };
}

function filled(field: "requestHeaders" | "responseHeaders", headers: Readonly<Record<string, string>> = {}) {
  const entries = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? {} : { [field]: Object.fromEntries(entries) };
}

function normalLimits({
  body,
  rate,
  connections,
  timeout,
}: NonNullable<ManifestRoute["limits"]>): NonNullable<RouteOptions["limits"]> {
  const [count, unit] = (rate ?? "").split("/");
  return {
    ...(body !== undefined && { bodyBytes: sizeBytes(body) ?? 0 }),
    ...(rate !== undefined && {
      rate: { count: Number(count), windowMs: WINDOWS[unit as keyof typeof WINDOWS] },
    }),
    ...(connections !== undefined && { connections }),
    ...(timeout !== undefined && { timeoutMs: timeout === "none" ? timeout : (durationMs(timeout) ?? 0) }),
  };
}

/** The same as a manifest has it. */
export function renderOptions(options: RouteOptions = {}) {
  const { limits, requestHeaders: request, responseHeaders: response } = options;
  const { stripPrefix, addPrefix, allow, deny, methods, sticky, compression, basicAuth } = options;
  return {
    ...(allow && { allow: [...allow] }),
    ...(deny && { deny: [...deny] }),
    ...(methods && { methods: [...methods] }),
    ...(limits && { limits: renderLimits(limits) }),
    ...(basicAuth && { basic_auth: { ...basicAuth } }),
    ...(stripPrefix !== undefined && { strip_prefix: stripPrefix }),
    ...(addPrefix !== undefined && { add_prefix: addPrefix }),
    ...((request ?? response) && {
      headers: {
        ...(request && { request: { ...request } }),
        ...(response && { response: { ...response } }),
      },
    }),
    ...(sticky && { sticky }),
    ...(compression && { compression }),
    ...(options.log && { log: options.log }),
  };
}

function renderLimits({ bodyBytes, rate, connections, timeoutMs }: NonNullable<RouteOptions["limits"]>) {
  const unit = Object.entries(WINDOWS).find(([, ms]) => ms === rate?.windowMs)?.[0] ?? "s";
  return {
    ...(bodyBytes !== undefined && { body: formatSize(bodyBytes) }),
    ...(rate && { rate: `${rate.count}/${unit}` }),
    ...(connections !== undefined && { connections }),
    ...(timeoutMs !== undefined && {
      timeout: timeoutMs === "none" ? timeoutMs : formatDuration(timeoutMs),
    }),
  };
}
