import { createHash } from "node:crypto";
import type { DesiredOptions } from "./backend-names.ts";
import type { DesiredBackend, Settings } from "./desired.ts";
import type { RouteLimits } from "./options.ts";
import { NOTES, REQUEST_ID } from "./render-access.ts";

/*
 * A route with options has a backend of its own, shared by all routes to the same instances with the same options. So a request pays for its
 * own route's options only, and a path with two readings that lead to different options is refused as one with two backends is.
 */

/** The request that a hold loops back comes in by a frontend of this name: the rules have been applied to it. */
export const HELD = "held:";
const ONCE = `!{ fe_name -m beg ${HELD} }`;
/** A line of the configuration has at most 64 words. */
const WORDS = 40;
/** Addresses in X-Forwarded-For that may be trusted proxies, one behind the other. */
const HOPS = 4;
const NONE_MS = 2 ** 31 - 1;

/** One word of the configuration: nothing in it is read as a quote, a variable of the environment or a comment. */
export const word = (text: string): string => `"${text.replace(/[\\"$]/g, "\\$&")}"`;
/** The same, as a format in which `%` begins an expression. */
export const format = (text: string): string => word(text.replaceAll("%", "%%"));
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const answer = (status: number, reason: string, condition: string, header = ""): string =>
  `http-request return status ${status} content-type text/plain string "${reason}\\n"${header && ` hdr ${header}`} if ${ONCE} ${condition}`;

/** `txn.client`: the peer, or the last address that the trusted proxies passed on. X-Forwarded-For ends with the peer. */
export function clientRules({ trustedProxies, proxyProtocol }: Settings): string[] {
  const at = (hop: number): string => `req.hdr_ip(x-forwarded-for,-${hop})`;
  const hops = trustedProxies.length === 0 || proxyProtocol ? 1 : HOPS;
  return Array.from({ length: hops }, (_, index) => index + 1).map((hop) =>
    hop === 1
      ? `http-request set-var(txn.client) ${at(hop)}`
      : `http-request set-var(txn.client) ${at(hop)} if { var(txn.client) -m ip ${trustedProxies.join(" ")} } { ${at(hop)} -m found }`,
  );
}

const networks = (name: string, cidrs: readonly string[]): string[] =>
  cidrs
    .flatMap((_, index) => (index % WORDS === 0 ? [cidrs.slice(index, index + WORDS)] : []))
    .map((some) => `acl ${name} var(txn.client) -m ip ${some.join(" ")}`);

/**
 * A body without a length would pass any limit: HAProxy 2.6 does not count what it forwards. Over HTTP/2 only its first frame tells that there is one;
 * a request that neither ends nor sends one gets a 408.
 */
function bodyRules(bytes: number): string[] {
  const unsized = "!{ req.hdr(content-length) -m found }";
  const unknown = `{ req.ver 2.0 } ${unsized} !{ method CONNECT }`;
  const refuse = (condition: string): string =>
    answer(411, "a request with a body needs a Content-Length here", condition);
  return [
    refuse(`${unsized} { req.hdr(transfer-encoding) -m found }`),
    `http-request wait-for-body time 10s at-least 1 if ${ONCE} ${unknown}`,
    refuse(`${unknown} { req.body_len gt 0 }`),
    // As text: `hdr_val` has 32 bits, so that a length of 4 GiB would count as 0.
    answer(413, "the body is too large", `{ req.hdr(content-length) -m int gt ${bytes} }`),
  ];
}

function clientLimits({ rate, connections }: RouteLimits): string[] {
  if (rate === undefined && connections === undefined) return [];
  const window = rate?.windowMs ?? 1000;
  return [
    `stick-table type ipv6 size 100k expire ${Math.max(window, 10_000)}ms store http_req_rate(${window}ms),conn_cur`,
    `http-request track-sc1 var(txn.client),ipmask(32,64) if ${ONCE}`,
    ...(rate === undefined
      ? []
      : [
          answer(
            429,
            "too many requests",
            `{ sc_http_req_rate(1) gt ${rate.count} }`,
            `Retry-After ${Math.ceil(window / 1000)}`,
          ),
        ]),
    ...(connections === undefined
      ? []
      : [answer(429, "too many requests at once", `{ sc_conn_cur(1) gt ${connections} }`, "Retry-After 1")]),
  ];
}

/** `spellings`: of the prefix, as it was written and with its codes resolved. */
function strip(spellings: readonly string[]): string[] {
  const prefix = spellings.map((one) => literal(one.replace(/\/+$/, ""))).join("|");
  return [`http-request replace-path ${word(`^(${prefix})/*(.*)$`)} ${word("/\\2")} if ${ONCE}`];
}

const usersOf = (backend: DesiredBackend): string => `users:${backend.name}`;

/** The section that the rules of a backend refer to. */
export const userList = (backend: DesiredBackend): string | undefined =>
  backend.options?.basicAuth &&
  [
    `userlist ${usersOf(backend)}`,
    ...backend.options.basicAuth.users.map(({ name, hash }) => `  user ${word(name)} password ${word(hash)}`),
    "",
  ].join("\n");

const authRules = (backend: DesiredBackend, { realm, users }: NonNullable<DesiredOptions["basicAuth"]>) => [
  `http-request auth realm ${word(realm)} if ${ONCE}${users.length === 0 ? "" : ` !{ http_auth(${usersOf(backend)}) }`}`,
  `http-request del-header Authorization if ${ONCE}`,
];

const headers = (side: "request" | "response", wanted: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(wanted).map(
    ([name, value]) =>
      `http-${side} ${value === "" ? `del-header ${word(name)}` : `set-header ${word(name)} ${format(value)}`}${side === "request" ? ` if ${ONCE}` : ""}`,
  );

const short = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);

/** Every gateway makes the same cookie of an instance's address: it holds over reloads, and at other machines. */
const sticky = (backend: DesiredBackend, secure: boolean): string[] => [
  `cookie ployz-${short(backend.id)} insert indirect nocache httponly${secure ? " secure" : ""} attr SameSite=Lax dynamic`,
  `dynamic-cookie-key ${short(`sticky ${backend.id}`)}`,
  // A route that is served over plain HTTP too: only the clients that came over TLS send it over TLS alone.
  ...(secure
    ? []
    : [
        "http-request set-var(txn.over_tls) bool(true) if { req.hdr(x-forwarded-proto) -i https }",
        `http-after-response replace-header Set-Cookie ${word(`^(ployz-${short(backend.id)}=.*)$`)} ${word("\\1; Secure")} if { var(txn.over_tls) -m bool }`,
      ]),
];

const COMPRESSED =
  "text/html text/plain text/css text/csv text/xml text/javascript application/javascript application/json application/manifest+json application/xml application/xhtml+xml application/wasm image/svg+xml";

const PAGE =
  "<!doctype html><meta charset=utf-8><meta name=viewport content=width=device-width><title>Maintenance</title><body style='font:18px/1.5 system-ui;max-width:32em;margin:20vh auto;padding:0 1em'><h1>Down for maintenance</h1><p>This site is back soon.</p>";

/** It tells caches and search engines that it does not last. */
const MAINTENANCE = `http-request return status 503 content-type text/html string ${word(PAGE)} hdr Retry-After 120 hdr Cache-Control no-store`;

/** The lines of a backend that its options ask for. */
export function optionLines(
  backend: DesiredBackend,
  options: DesiredOptions,
  settings: Settings,
): readonly string[] {
  const { allow, deny, methods, limits = {} } = options;
  const logs = options.log === true && settings.accessLog !== undefined && !settings.accessLog.all;
  const asksClient = allow ?? deny ?? limits.rate ?? limits.connections ?? (logs || undefined);
  return [
    ...(logs ? ["http-request set-log-level info", REQUEST_ID, ...NOTES] : []),
    ...(asksClient === undefined ? [] : clientRules(settings)),
    ...(options.maintenance ? [MAINTENANCE] : []),
    ...(limits.timeoutMs === undefined
      ? []
      : [`timeout server ${limits.timeoutMs === "none" ? NONE_MS : limits.timeoutMs}ms`]),
    ...(options.sticky ? sticky(backend, options.secure === true) : []),
    ...(options.compression ? ["compression algo gzip", `compression type ${COMPRESSED}`] : []),
    ...(deny?.length ? [...networks("denied", deny), answer(403, "forbidden", "denied")] : []),
    ...(allow ? [...networks("allowed", allow), answer(403, "forbidden", "!allowed")] : []),
    ...(methods
      ? [
          answer(
            405,
            "method not allowed",
            `!{ method ${methods.join(" ")} }`,
            `Allow ${word(methods.join(", "))}`,
          ),
        ]
      : []),
    ...clientLimits(limits),
    ...(limits.bodyBytes === undefined ? [] : bodyRules(limits.bodyBytes)),
    ...(options.basicAuth ? authRules(backend, options.basicAuth) : []),
    ...(options.strip ? strip(options.strip) : []),
    ...(options.addPrefix === undefined
      ? []
      : [`http-request set-path ${format(options.addPrefix.replace(/\/+$/, ""))}%[path] if ${ONCE}`]),
    ...headers("request", options.requestHeaders),
    ...headers("response", options.responseHeaders),
  ];
}
