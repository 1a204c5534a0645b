import type { Desired, Settings } from "./desired.ts";
import { AMBIGUOUS, MALFORMED, ODD } from "./path.ts";
import { deny } from "./render-edge.ts";

/**
 * A worker that a reload replaced no longer takes runtime changes to its servers ("Proxy is disabled"). So the next request
 * of a kept connection there is passed on to the worker that replaced it, over a socket inside the jail.
 */
export const HANDOVER = "ployz:handover";

/** Bytes above ASCII and backslashes are written as HAProxy's configuration escapes them. */
const escaped = (text: string): string =>
  text.replace(/[^!-[\]-~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
const IS_ODD = `{ path -m sub ${ODD.map(escaped).join(" ")} }`;
const ODD_PATH = "{ var(txn.path) -m found }";
const ambiguous = (condition: string): string => deny("the path is ambiguous", `if ${ODD_PATH} ${condition}`);

/** Key of the map: host, path and a slash, so that the longest prefix found ends on a segment boundary. */
const choose = (backend: string, path: string, condition: string): readonly string[] => {
  const unrouted = `if ${condition} !{ var(txn.${backend}) -m found }`;
  return [
    `http-request set-var-fmt(txn.key) %[var(txn.host)]%[${path}]/ ${condition && `if ${condition}`}`,
    `http-request set-var(txn.${backend}) var(txn.key),map_beg(routes.map) ${condition && `if ${condition}`}`,
    // Only for hosts that no route names: a regular expression for every request costs several percent.
    `http-request set-var(txn.wild) var(txn.host),regsub(^[^.]+,*) ${unrouted}`,
    `http-request set-var-fmt(txn.key) %[var(txn.wild)]%[${path}]/ ${unrouted}`,
    `http-request set-var(txn.${backend}) var(txn.key),map_beg(routes.map) ${unrouted}`,
  ];
};

/** Chooses the backend by the path as it is sent, and refuses a path that another reading takes to another backend. It is forwarded as it is sent. */
export const routing = ({ httpsOnly }: Desired, { httpsListen }: Settings): readonly string[] => [
  `http-request set-var(txn.path) path if ${IS_ODD}`,
  ambiguous(`{ var(txn.path) -m reg '${AMBIGUOUS}|${MALFORMED}' }`),
  ...[0, 1].flatMap(() => [
    // Text that is not encoded a second time stays as it is.
    `http-request set-var(txn.path) var(txn.path),url_dec if ${ODD_PATH}`,
    ambiguous(`{ var(txn.path) -m reg '${AMBIGUOUS}' }`),
  ]),
  `http-request set-var(txn.path) 'var(txn.path),regsub("\\\\\\\\",/,g),regsub(";[^/]*",,g),regsub("//+",/,g),url_enc,regsub(%2F,/,g)' if ${ODD_PATH}`,
  "http-request set-var(txn.host) req.fhdr(host),host_only,lower,rtrim(.)",
  ...choose("backend", "path", ""),
  // X-Forwarded-Proto is the gateway's own by now, or a trusted proxy's.
  ...(httpsOnly.length === 0
    ? []
    : [
        `http-request redirect code 308 location https://%[var(txn.host)]${httpsListen === undefined || httpsListen[0].port === 443 ? "" : `:${httpsListen[0].port}`}%[pathq] if !{ req.hdr(x-forwarded-proto) -i https } { var(txn.key),map_beg(https.map) yes }`,
      ]),
  ...choose("plain", "var(txn.path)", ODD_PATH),
  'http-request return status 404 content-type text/plain string "no route for this host and path\\n" if !{ var(txn.backend) -m found } !{ stopping }',
  ambiguous("!{ var(txn.plain),strcmp(txn.backend) eq 0 } !{ stopping }"),
  `use_backend ${HANDOVER} if { stopping }`,
  "use_backend %[var(txn.backend)]",
];
