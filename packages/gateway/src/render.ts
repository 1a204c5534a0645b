import { listPath } from "./certificates.ts";
import { challengeAnswer } from "./challenges.ts";
import type { Desired, Listen, Settings } from "./desired.ts";
import { socketAddress } from "./desired.ts";
import { proofSections, TLS } from "./proofs.ts";
import { frontendLog, isLogging, NOTES, REQUEST_ID } from "./render-access.ts";
import { backendLines, fromInside, heldSocket, LONGEST_HOLD_MS, tcpSocket } from "./render-backend.ts";
import { headerRules, SOURCE_TABLE, sourceLimit } from "./render-edge.ts";
import { clientRules, HELD, userList } from "./render-options.ts";
import { HANDOVER, routing } from "./render-routing.ts";

export const mapText = (lines: readonly (readonly [string, string])[]): string =>
  lines.map(([key, value]) => `${key} ${value}\n`).join("");

/** haproxy.cfg, to be loaded from the folder that holds the maps (HAProxy 2.6 or newer). */
export function render(desired: Desired, settings: Settings): string {
  return [
    globalSection(desired, settings),
    defaultsSection(settings),
    ...desired.backends.flatMap((backend) => userList(backend) ?? []),
    httpFrontend(desired, settings),
    handover(desired, settings),
    ...desired.ports.map(({ port, backend }) => tcpFrontend(port, backend, settings)),
    ...(settings.statsListen ? [statsFrontend(settings.statsListen)] : []),
    ...proofSections(settings, { section, bind, bindInside }),
    ...desired.redirectBackends.map(redirectBackend),
    ...desired.backends.filter(({ options }) => options).map(({ name }) => heldFrontend(name, settings)),
    ...desired.backends.map((backend) =>
      section(`backend ${backend.name}`, backendLines(backend, desired, settings)),
    ),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string =>
  [title, ...lines.map((line) => `  ${line}`), ""].join("\n");

function globalSection(desired: Desired, settings: Settings): string {
  return section("global", [
    // Read back over the runtime API: the structure that a worker runs.
    `set-var proc.ployz_structure str(${desired.structure})`,
    // Without maxconn it follows from the limit of open files; the bound keeps its tables small where that is "infinite".
    "fd-hard-limit 100000",
    ...(settings.maxConnections === undefined ? [] : [`maxconn ${settings.maxConnections}`]),
    `hard-stop-after ${settings.hardStopMs}ms`,
    "log stdout format raw local0 notice",
    ...(settings.user ? [`user ${settings.user}`, `chroot ${settings.dir}/jail`] : []),
    ...(settings.group ? [`group ${settings.group}`] : []),
    ...(settings.httpsListen || settings.proofs ? TRANSPORT : []),
  ]);
}

/**
 * Mozilla's intermediate profile (Server Side TLS 5.7) without finite-field Diffie-Hellman, which only clients older than 2014 need. Tickets stay on: TLS 1.3
 * resumes sessions by nothing else; their key is in the worker's memory only, and new with each reload.
 */
const TRANSPORT = [
  `ssl-default-bind-ciphers ${["ECDSA", "RSA"]
    .flatMap((key) =>
      ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map((one) => `ECDHE-${key}-${one}`),
    )
    .join(":")}`,
  "ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
  "ssl-default-bind-options prefer-client-ciphers ssl-min-ver TLSv1.2",
];

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
    // Only a hold makes requests wait for a server.
    `timeout queue ${LONGEST_HOLD_MS}ms`,
    "timeout client 60s",
    "timeout http-request 10s",
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

const bind = ({ host, port }: Listen): string =>
  `bind ${socketAddress({ address: host, port })}${host.includes(":") ? " v6only" : ""}`;

function httpsBinds(settings: Settings): readonly string[] {
  const { httpsListen = [], proofs } = settings;
  if (httpsListen.length === 0) return [];
  // There also without proofs: an old worker sends what it has accepted here.
  const inside = `${bindInside(TLS, settings)} accept-proxy`;
  return [...(proofs === undefined ? httpsListen.map(bind) : []), inside];
}

function httpFrontend(desired: Desired, settings: Settings): string {
  return section("frontend http", [
    ...settings.listen.map(bind),
    ...httpsBinds(settings).map(
      (socket) => `${socket} ssl crt-list ${listPath(settings.dir)} strict-sni alpn h2,http/1.1`,
    ),
    ...frontendLog(desired, settings),
    SOURCE_TABLE,
    ...sourceLimit(settings),
    ...headerRules(settings),
    ...(settings.requestId || settings.accessLog?.all ? [REQUEST_ID] : []),
    ...(settings.accessLog?.all ? [...clientRules(settings), ...NOTES] : []),
    challengeAnswer(settings),
    ...routing(desired, settings),
  ]);
}

function handover(desired: Desired, settings: Settings): string {
  return [
    section("frontend handover", [
      bindInside("handover", settings),
      ...frontendLog(desired, settings),
      ...(settings.accessLog?.all ? [...clientRules(settings), ...NOTES] : []),
      ...routing(desired, settings),
    ]),
    section(`backend ${HANDOVER}`, [
      ...(isLogging(desired, settings) ? ["http-request set-log-level silent"] : []),
      "option http-server-close",
      "http-reuse never",
      "retry-on conn-failure",
      `server next ${fromInside("handover", settings)}`,
    ]),
  ].join("\n");
}

/** `redirect:308:path` keeps path and query. */
function redirectBackend(name: string): string {
  const [, code, path] = name.split(":");
  const rest = path === undefined ? "" : "%[pathq]";
  return section(`backend ${name}`, [
    `http-request redirect code ${code} location %[var(txn.key),map_beg(redirects.map)]${rest}`,
  ]);
}

/** Past the choice of a route: the backend has changed path and headers. */
const heldFrontend = (backend: string, settings: Settings): string =>
  section(`frontend ${HELD}${backend}`, [
    bindInside(heldSocket(backend), settings),
    `default_backend ${backend}`,
  ]);

function tcpFrontend(port: number, backend: string, settings: Settings): string {
  return section(`frontend tcp:${port}`, [
    "mode tcp",
    ...settings.listen.map(({ host }) => bind({ host, port })),
    bindInside(tcpSocket(port), settings),
    ...sourceLimit(settings),
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
