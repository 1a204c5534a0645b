import { createHash } from "node:crypto";
import type { HttpCheck } from "./check.ts";
import type { Desired, DesiredBackend, Settings } from "./desired.ts";
import { socketAddress } from "./desired.ts";
import { format, optionLines, word } from "./render-options.ts";
import { isShared, weightOf } from "./table.ts";

/** RFC 5737: an address that no host has, for slots without a server. */
const NOBODY = { address: "192.0.2.1", port: 9 } as const;
const MIN_SLOTS = 4;
const PATIENT_MS = 30_000;

/** The name, in every backend, of the server that requests wait at during a hold. */
export const HOLD = "hold";
export const LONGEST_HOLD_MS = 60_000;

/** The words after `server NAME ADDRESS:PORT`, the same in the file and for servers that are added to a running worker. */
export function checkWords(settings: Settings): string {
  const inter = settings.checkIntervalMs;
  const faster = Math.max(100, Math.round(inter * 0.4));
  // A failed connection counts as a failed check and makes the next check earlier: one more failure takes the server out of rotation.
  return `check inter ${inter}ms fastinter ${faster}ms downinter ${faster}ms fall 2 rise 2 observe layer4 error-limit 1 on-error sudden-death`;
}

/** Where a worker, in its jail, finds one of the gateway's own sockets. */
export const fromInside = (name: string, settings: Settings): string =>
  `unix@${settings.user ? "" : `${settings.dir}/jail`}/${name}.sock`;

export const tcpSocket = (port: number): string => `tcp-${port}`;

/** Short: the path of a socket has at most 107 bytes. */
export const heldSocket = (backend: string): string =>
  `h${createHash("sha256").update(backend).digest("base64url").slice(0, 8)}`;

/** How a server that gets no new requests is set aside: sticky clients would still be sent to one that drains. */
export const setAside = ({ options }: Pick<DesiredBackend, "options">): "maint" | "drain" =>
  options?.sticky ? "maint" : "drain";

export function backendLines(backend: DesiredBackend, desired: Desired, settings: Settings): string[] {
  const words = checkWords(settings);
  const slots = Math.max(MIN_SLOTS, backend.servers.length * 2);
  const servers = Array.from({ length: slots }, (_, index) => {
    const server = backend.servers[index];
    const state =
      server === undefined || (server.drained && setAside(backend) === "maint")
        ? " disabled"
        : server.drained
          ? " weight 0"
          : weightOf(server) === 1
            ? ""
            : ` weight ${weightOf(server)}`;
    return `server s${index + 1} ${socketAddress(server ?? NOBODY)} ${words}${state}`;
  });
  const http = [
    "balance roundrobin",
    // A request is retried on another server when its connection failed, or when the server closed without an answer
    // and the method is idempotent (RFC 9110, 9.2.2). Any other request might be executed twice.
    "retry-on conn-failure empty-response",
    "http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }",
    // Idle connections to instances are closed before common servers (Node: 5 s) close them under a request.
    "default-server pool-purge-delay 2s",
  ];
  const tcp = [
    ...["mode tcp", `balance ${isShared(backend) ? "roundrobin" : "leastconn"}`],
    ...["timeout server 24h", "option srvtcpka"],
  ];
  return [
    ...(backend.mode === "http" ? http : tcp),
    ...(backend.options ? optionLines(backend, backend.options, settings) : []),
    ...heldOnce(backend, settings),
    ...(backend.patient ? [`timeout check ${PATIENT_MS}ms`] : []),
    ...(backend.check.kind === "http" ? httpCheck(backend.check) : []),
    ...servers,
    holdLine(backend, desired, settings),
  ];
}

/** The request that a hold loops back is logged where it comes in again; the frontend of a backend with options does not log. */
const heldOnce = ({ options, mode }: DesiredBackend, { accessLog }: Settings): readonly string[] =>
  accessLog?.all && mode === "http" && options === undefined
    ? [`http-response set-log-level silent if { srv_name ${HOLD} }`]
    : [];

/** The readiness probe of the daemon asks the same. */
function httpCheck({ path, host = "localhost", headers = {}, status }: HttpCheck): readonly string[] {
  const own = Object.keys(headers).map((name) => name.toLowerCase());
  const sent = Object.entries({
    Host: host,
    ...(!own.includes("user-agent") && { "User-Agent": "ployz-readiness" }),
    ...headers,
  });
  return [
    "option httpchk",
    `http-check send meth GET uri '${path}' ver HTTP/1.1 ${sent.map(([name, value]) => `hdr ${word(name)} ${format(value)}`).join(" ")}`,
    `http-check expect status ${status === undefined ? "200-399" : status.join(",")}`,
  ];
}

/**
 * Where requests wait, enabled for the time of a hold. A backup gets requests only while there is no live server, and this one takes one
 * at a time: the others queue for it, and disabling it sends them on to whatever server there is by then. The one that it takes comes
 * back in through the gateway's own door and queues with the others: no request leaves HAProxy before a server gets it.
 */
function holdLine(backend: DesiredBackend, desired: Desired, settings: Settings): string {
  const port = desired.ports.find((one) => one.backend === backend.name)?.port;
  const door = port !== undefined ? tcpSocket(port) : backend.options ? heldSocket(backend.name) : "handover";
  const reuse = backend.mode === "http" ? " pool-max-conn 0" : "";
  return `server ${HOLD} ${fromInside(door, settings)} backup disabled maxconn 1${reuse}`;
}
