import type { Desired, Settings } from "./desired.ts";
import { socketAddress } from "./desired.ts";

/*
 * The access log. HAProxy sends one datagram for each request, and never waits: without a collector it is dropped. A gateway without logged routes has none of
 * these lines. Of a request that is handed over to the next worker, that one sends the line.
 */

/** Longest host and path in a line; with all others it fits into LINE_BYTES also where each character is escaped. */
const PATH_BYTES = 1024;
const LINE_BYTES = 8192;

const text = (field: string, value: string): string => `\\"${field}\\":\\"${value}\\"`;
const number = (field: string, value: string): string => `\\"${field}\\":${value}`;

const FIELDS = [
  text("client", "%[var(txn.client)]"),
  text("scheme", "%[var(txn.log_scheme),json(utf8s)]"),
  text("host", "%[var(txn.log_host),json(utf8s)]"),
  text("method", "%HM"),
  text("path", "%[var(txn.log_path),json(utf8s)]"),
  text("protocol", "%HV"),
  number("status", "%ST"),
  number("bytesIn", "%U"),
  number("bytesOut", "%B"),
  number("queueMs", "%Tw"),
  number("connectMs", "%Tc"),
  number("responseMs", "%Tr"),
  number("totalMs", "%Ta"),
  text("requestId", "%[var(txn.log_id),json(utf8s)]"),
  text("ended", "%ts"),
].join(",");

/** Whether anything is logged. */
export const isLogging = ({ backends }: Pick<Desired, "backends">, { accessLog }: Settings): boolean =>
  accessLog !== undefined && (accessLog.all || backends.some(({ options }) => options?.log));

/** Of the frontends that choose a route. With `all` they note it themselves, so that a request without a route is logged too. */
export function frontendLog(desired: Desired, settings: Settings): readonly string[] {
  const { accessLog } = settings;
  if (accessLog === undefined || !isLogging(desired, settings)) return [];
  const collector = socketAddress({ address: "127.0.0.1", port: accessLog.port });
  return [
    "no option dontlog-normal",
    `log ${collector} len ${LINE_BYTES} format raw local1 info`,
    `log-format "${accessLog.key} %[date(0,ms)] %si:%sp %b {${FIELDS}}"`,
    accessLog.all ? "http-request set-var(txn.client) src" : "http-request set-log-level silent",
  ];
}

/** A request's words are kept before the route's own rules change them: at its end the request is gone. */
export const NOTES: readonly string[] = [
  "http-request set-var(txn.log_scheme) req.fhdr(x-forwarded-proto)",
  "http-request set-var(txn.log_host) req.fhdr(host),lower,bytes(0,255)",
  `http-request set-var(txn.log_path) path,bytes(0,${PATH_BYTES})`,
  "http-request set-var(txn.log_id) req.fhdr(x-request-id)",
];

/** Kept where the client sends a well-formed one: the id of a proxy in front, or of another service. */
export const REQUEST_ID =
  "http-request set-header X-Request-Id %[uuid()] unless { req.fhdr_cnt(x-request-id) 1 } { req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{8,64}$ }";
