import type { Desired, Listen, Settings } from "./desired.ts";
import { socketAddress } from "./desired.ts";
import { backendLines, fromInside, LONGEST_HOLD_MS, tcpSocket } from "./render-backend.ts";

export const mapText = (desired: Desired): string =>
  desired.map.map(([key, backend]) => `${key} ${backend}\n`).join("");

/** haproxy.cfg, to be loaded from the folder that holds `routes.map` (HAProxy 2.6 or newer). */
export function render(desired: Desired, settings: Settings): string {
  return [
    globalSection(desired, settings),
    defaultsSection(settings),
    httpFrontend(settings),
    handover(settings),
    ...desired.ports.map(({ port, backend }) => tcpFrontend(port, backend, settings)),
    ...(settings.statsListen ? [statsFrontend(settings.statsListen)] : []),
    ...desired.backends.map((backend) =>
      section(`backend ${backend.name}`, backendLines(backend, desired, settings)),
    ),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string =>
  [title, ...lines.map((line) => `  ${line}`), ""].join("\n");

function globalSection(desired: Desired, settings: Settings): string {
  return section("global", [
    // Read back over the runtime API: says which structure a worker really runs.
    `set-var proc.ployz_structure str(${desired.structure})`,
    // Without maxconn it follows from the limit of open files; the bound keeps its tables small where that is "infinite".
    "fd-hard-limit 100000",
    ...(settings.maxConnections === undefined ? [] : [`maxconn ${settings.maxConnections}`]),
    `hard-stop-after ${settings.hardStopMs}ms`,
    "log stdout format raw local0 notice",
    ...(settings.user ? [`user ${settings.user}`, `chroot ${settings.dir}/jail`] : []),
    ...(settings.group ? [`group ${settings.group}`] : []),
  ]);
}

function defaultsSection(settings: Settings): string {
  return section("defaults", [
    "mode http",
    "log global",
    "option dontlognull",
    "option dontlog-normal",
    "option http-keep-alive",
    // After a reload an idle keep-alive connection is closed with its next answer, never under a request on its way.
    "option idle-close-on-response",
    "option redispatch 1",
    "retries 3",
    "timeout connect 2s",
    // Nothing but a hold makes requests wait for a server.
    `timeout queue ${LONGEST_HOLD_MS}ms`,
    "timeout client 60s",
    "timeout http-request 30s",
    "timeout http-keep-alive 60s",
    `timeout server ${settings.requestTimeoutMs}ms`,
    "timeout tunnel 24h",
    `timeout check ${Math.max(2000, settings.checkIntervalMs)}ms`,
    'http-error status 503 content-type text/plain string "no instance is available for this route\\n" hdr Retry-After 1',
  ]);
}

/** A socket of the gateway's own: bound before the worker goes into its jail, connected to from inside. */
const bindInside = (name: string, settings: Settings): string =>
  `bind unix@${settings.dir}/jail/${name}.sock mode 600${settings.user ? ` user ${settings.user}` : ""}`;

const bind = (listen: Listen): string => `bind ${socketAddress({ address: listen.host, port: listen.port })}`;

function httpFrontend(settings: Settings): string {
  const trust = settings.trustedProxies.length > 0;
  const unlessTrusted = trust ? " unless trusted_proxy" : "";
  const keep = (header: string): string =>
    trust ? ` unless trusted_proxy { req.hdr(${header}) -m found }` : "";
  return section("frontend http", [
    bind(settings.listen),
    // strict-sni lets the listener start before there is any certificate.
    ...(settings.httpsListen
      ? [`${bind(settings.httpsListen)} ssl crt ${settings.dir}/certs strict-sni alpn h2,http/1.1`]
      : []),
    ...(trust ? [`acl trusted_proxy src ${settings.trustedProxies.join(" ")}`] : []),
    // Set, not appended: what an unknown client claims about itself is not passed on.
    `http-request del-header Forwarded${unlessTrusted}`,
    `http-request del-header X-Real-IP${unlessTrusted}`,
    "http-request del-header Proxy",
    ...(trust
      ? [
          "http-request add-header X-Forwarded-For %[src] if trusted_proxy { req.hdr(x-forwarded-for) -m found }",
        ]
      : []),
    `http-request set-header X-Forwarded-For %[src]${keep("x-forwarded-for")}`,
    `http-request set-header X-Forwarded-Proto ${settings.httpsListen ? "%[ssl_fc,iif(https,http)]" : "http"}${keep("x-forwarded-proto")}`,
    `http-request set-header X-Forwarded-Host %[req.hdr(host)]${keep("x-forwarded-host")}`,
    ...(settings.requestId
      ? [
          "http-request set-header X-Request-Id %[uuid()] unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9._-]{8,64}$ }",
        ]
      : []),
    ...ROUTING,
  ]);
}

/**
 * A worker that a reload replaced no longer takes runtime changes to its servers ("Proxy is disabled"). So the next request
 * of a kept connection there is passed on to the worker that replaced it, over a socket inside the jail.
 */
const HANDOVER = "ployz:handover";

const UNROUTED = "if !{ var(txn.backend) -m found }";

/** Key of the map: host, path and a slash, so that the longest prefix found ends on a segment boundary. */
const ROUTING = [
  "http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)",
  "http-request set-var-fmt(txn.key) %[var(txn.host)]%[path]/",
  "http-request set-var(txn.backend) var(txn.key),map_beg(routes.map)",
  // Only for hosts that no route names: a regular expression for every request costs several percent.
  `http-request set-var(txn.wild) var(txn.host),regsub(^[^.]+,*) ${UNROUTED}`,
  `http-request set-var-fmt(txn.wildkey) %[var(txn.wild)]%[path]/ ${UNROUTED}`,
  `http-request set-var(txn.backend) var(txn.wildkey),map_beg(routes.map) ${UNROUTED}`,
  `http-request return status 404 content-type text/plain string "no route for this host and path\\n" ${UNROUTED} !{ stopping }`,
  `use_backend ${HANDOVER} if { stopping }`,
  "use_backend %[var(txn.backend)]",
];

function handover(settings: Settings): string {
  return [
    section("frontend handover", [bindInside("handover", settings), ...ROUTING]),
    section(`backend ${HANDOVER}`, [
      "option http-server-close",
      "http-reuse never",
      "retry-on conn-failure",
      `server next ${fromInside("handover", settings)}`,
    ]),
  ].join("\n");
}

function tcpFrontend(port: number, backend: string, settings: Settings): string {
  return section(`frontend tcp:${port}`, [
    "mode tcp",
    bind({ host: settings.listen.host, port }),
    bindInside(tcpSocket(port), settings),
    "timeout client 24h",
    "option clitcpka",
    `default_backend ${backend}`,
  ]);
}

function statsFrontend(listen: Listen): string {
  return section("frontend stats", [
    bind(listen),
    "http-request use-service prometheus-exporter if { path /metrics }",
    "http-request return status 404",
  ]);
}
