import type { Settings } from "./desired.ts";

/*
 * The requests that the gateway refuses, and the headers that it removes, before it chooses a route. A request must mean one thing: the instance reads its
 * path and headers again, perhaps by other rules, and must not find another host, path or client in it than the gateway did.
 */

/** A source with more open connections is refused new ones. A company behind one address stays below it; a load balancer is a trusted proxy. */
const CONNECTIONS_PER_SOURCE = 1000;

export const deny = (reason: string, condition: string): string =>
  `http-request deny deny_status 400 content-type text/plain string "${reason}\\n" ${condition}`;

/** A condition, empty when no proxy is trusted. */
const ifTrusted = ({ trustedProxies }: Settings, word: "if" | "unless"): string =>
  trustedProxies.length > 0 ? `${word} { src ${trustedProxies.join(" ")} }` : "";

/** In the frontend `http`, for all listeners. It holds more sources than HAProxy has connections. */
export const SOURCE_TABLE = "stick-table type ipv6 size 100k expire 1m store conn_cur";

/** An IPv6 source is a /64: one subscriber has that many addresses. */
export function sourceLimit(settings: Settings): readonly string[] {
  const limit = Math.min(CONNECTIONS_PER_SOURCE, Math.ceil((settings.maxConnections ?? Infinity) / 4));
  return [
    // Before anything is read. From then on `src` is the client; in the rules of a connection it is the proxy still.
    ...(settings.proxyProtocol && settings.trustedProxies.length > 0
      ? [`tcp-request connection expect-proxy layer4 ${ifTrusted(settings, "if")}`]
      : []),
    `tcp-request connection track-sc0 src,ipmask(32,64) table http ${ifTrusted(settings, "unless")}`,
    `tcp-request connection reject if { sc0_conn_cur(http) gt ${limit} }`,
  ];
}

/** Headers by which a proxy tells about the client. CGI and its descendants read `X_Forwarded.For` as X-Forwarded-For. */
const NAMES = "x~(forwarded.*|(real|client)~ip|original~(url|uri|host)|rewrite~url)".replaceAll(
  "~",
  "[^a-z0-9]",
);
const CLAIMS = `'^(forwarded|${NAMES})$'`;
const MISSPELT = `'^(?=.*[^a-z0-9-])${NAMES}$'`;

/** `Upgrade` of a WebSocket or the like, asked for by this client for this connection. */
const UPGRADES = "{ req.hdr(upgrade) -m found } { req.hdr(connection) -m str -i upgrade }";

export function headerRules(settings: Settings): readonly string[] {
  const trust = settings.trustedProxies.length > 0;
  const keep = (header: string): string =>
    trust ? `${ifTrusted(settings, "unless")} { req.hdr(${header}) -m found }` : "";
  return [
    deny(
      "a request has one Host header: a host name",
      "unless { req.fhdr_cnt(host) 1 } { req.fhdr(host) -m reg ^[A-Za-z0-9._-]+(:[0-9]+)?$ }",
    ),
    deny("a forwarded header is no trailer", `if { req.hdr(trailer) -m reg -i ${CLAIMS} }`),
    // An instance that speaks HTTP/2 would answer 101, and what follows would pass unseen.
    "http-request del-header HTTP2-Settings",
    "http-request del-header Upgrade if { req.fhdr(upgrade) -m sub -i h2c }",
    `http-request del-header Upgrade unless ${UPGRADES}`,
    // The next proxy or framework removes each header that Connection names (RFC 9110, 7.6.1), also those set below.
    `http-request set-header Connection Upgrade if ${UPGRADES}`,
    `http-request del-header Connection unless ${UPGRADES}`,
    "http-request del-header Proxy",
    `http-request del-header ${CLAIMS} -m reg ${ifTrusted(settings, "unless")}`,
    ...(trust
      ? [
          // A proxy in front does not know these spellings, and passes them on.
          `http-request del-header ${MISSPELT} -m reg`,
          // RFC 7239, 4: each proxy adds an element.
          `http-request set-header Forwarded "%[req.fhdr(forwarded)], for=%[src]" ${ifTrusted(settings, "if")} { req.hdr(forwarded) -m found }`,
          `http-request add-header X-Forwarded-For %[src] ${ifTrusted(settings, "if")} { req.hdr(x-forwarded-for) -m found }`,
        ]
      : []),
    `http-request set-header X-Forwarded-For %[src] ${keep("x-forwarded-for")}`,
    `http-request set-header X-Forwarded-Proto ${settings.httpsListen ? "%[ssl_fc,iif(https,http)]" : "http"} ${keep("x-forwarded-proto")}`,
    `http-request set-header X-Forwarded-Host %[req.fhdr(host)] ${keep("x-forwarded-host")}`,
  ];
}
