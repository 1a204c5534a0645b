import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import type { ServiceHost } from "@ployz/exec";
import { accessKey } from "./access/key.ts";
import type { Certificate } from "./certificates.ts";
import type { Listen, Settings } from "./desired.ts";
import { PloyzError } from "./error-codes.ts";
import { isCidr } from "./options.ts";
import { type Proofs, proofsDigest } from "./proofs.ts";

/** Folder, listeners and limits of one gateway. */
export interface GatewayOptions {
  /** Absolute. Holds configurations, state and the control socket; made 0700. One gateway per folder. */
  readonly dir: string;
  /** `address:port`, e.g. `0.0.0.0:80`, or several with one port: `[::]:80` is IPv6 only. TCP routes listen on the same addresses. */
  readonly listen: string | readonly string[];
  /** TLS, from the first certificate on. No listener when left out. */
  readonly httpsListen?: string | readonly string[];
  /** Prometheus text on `/metrics`. No listener when left out. */
  readonly statsListen?: string;
  /** Runs HAProxy, so that it outlives the caller. */
  readonly services: ServiceHost;
  /** Default `ployz-haproxy`. */
  readonly serviceName?: string;
  /** Path of the program; default: found on PATH. */
  readonly haproxy?: string;
  /** Workers run as this user and group of the same name. Default: `haproxy` where there is one, else the caller's own. */
  readonly user?: string;
  /** Default: about half of the limit of open files, at most 50,000. */
  readonly maxConnections?: number;
  /** Time for a removed server to finish its requests before they are cut; default 60,000 ms. */
  readonly drainTimeoutMs?: number;
  /** How long connections may live on in a worker that a reload replaced; default 86,400,000 ms. */
  readonly hardStopMs?: number;
  /** Workers that reloads replaced and that finish their connections; of more, those without a request in progress end first, then the oldest. Default 20. */
  readonly maxOldWorkers?: number;
  /** How long an instance may take to answer; default 300,000 ms. */
  readonly requestTimeoutMs?: number;
  /** Default 750 ms: a dead instance is out within 3 s. */
  readonly checkIntervalMs?: number;
  /** CIDRs of load balancers in front: their X-Forwarded-* headers are kept, and they have no connection limit. Default none. */
  readonly trustedProxies?: readonly string[];
  /** The trusted proxies begin each connection with a PROXY header (version 1 or 2), by which the client is known; forwarded headers come from the client then, and are replaced. Default off. */
  readonly proxyProtocol?: boolean;
  /** Give every request an X-Request-Id, kept when the client sends a well-formed one. Default off. */
  readonly requestId?: boolean;
  /**
   * Where a collector of this machine (see `collectAccess`) takes lines of the access log: a UDP port of 127.0.0.1. Routes with `log` are logged, or with
   * `all` every request over HTTP. Default none.
   */
  readonly accessLog?: { readonly port: number; readonly all?: boolean };
}

const invalid = (message: string, hint: string): PloyzError =>
  new PloyzError({ code: "gateway_config_invalid", message, hint });

/** @throws PloyzError `gateway_config_invalid`. */
export function checkFolder(dir: string): void {
  if (!isAbsolute(dir) || !/^[A-Za-z0-9._/-]+$/.test(dir))
    throw invalid(`gateway folder ${JSON.stringify(dir)} is not a plain absolute path`, "choose another");
}

/** The folder exists. */
export async function readSettings(options: GatewayOptions): Promise<Settings> {
  for (const cidr of options.trustedProxies ?? [])
    if (!isCidr(cidr))
      throw invalid(`trusted proxy ${JSON.stringify(cidr)} is not a CIDR`, "write e.g. 10.0.0.0/8");
  const user = options.user ?? (await defaultUser());
  if (user !== undefined && !/^[a-z_][a-z0-9_-]*$/.test(user))
    throw invalid(`${JSON.stringify(user)} is not a user name`, "name an existing system user");
  return {
    listen: parseListens(options.listen),
    ...(options.httpsListen !== undefined && { httpsListen: parseListens(options.httpsListen) }),
    ...(options.statsListen !== undefined && { statsListen: parseListen(options.statsListen) }),
    dir: options.dir,
    ...(user !== undefined && { user, group: user }),
    ...(options.maxConnections !== undefined && {
      maxConnections: count(options.maxConnections, "maxConnections"),
    }),
    hardStopMs: count(options.hardStopMs ?? 86_400_000, "hardStopMs"),
    requestTimeoutMs: count(options.requestTimeoutMs ?? 300_000, "requestTimeoutMs"),
    checkIntervalMs: count(options.checkIntervalMs ?? 750, "checkIntervalMs"),
    trustedProxies: options.trustedProxies ?? [],
    proxyProtocol: options.proxyProtocol ?? false,
    requestId: options.requestId ?? false,
    ...(options.accessLog && {
      accessLog: {
        port: port(options.accessLog.port),
        key: await accessKey(options.dir),
        all: options.accessLog.all ?? false,
      },
    }),
  };
}

/** TLS is served while there is a certificate; challenges are answered there while there are proofs. */
export function settingsWith(
  all: Settings,
  { certificates, proofs }: { readonly certificates: readonly Certificate[]; readonly proofs: Proofs },
): Settings {
  const { httpsListen, ...plain } = all;
  if (httpsListen === undefined) return plain;
  return {
    ...(certificates.length > 0 ? all : plain),
    ...(proofs.size > 0 && { proofs: { listen: httpsListen, digest: proofsDigest(proofs) } }),
  };
}

export const ownPorts = ({ listen, httpsListen, statsListen }: Settings): number[] =>
  [listen, httpsListen ?? [], statsListen ?? []].flat().map(({ port }) => port);

function parseListens(given: string | readonly string[]): readonly [Listen, ...Listen[]] {
  const [first, ...more] = [given].flat().map(parseListen);
  if (first === undefined) throw invalid("there is no listen address", "write e.g. 0.0.0.0:80");
  const other = more.find(({ port }) => port !== first.port);
  if (other !== undefined)
    throw invalid(
      `listen addresses have the ports ${first.port} and ${other.port}`,
      "give all the same port",
    );
  return [first, ...more];
}

export function parseListen(text: string): Listen {
  const found = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:]+)):(?<port>\d{1,5})$/.exec(text)?.groups;
  const host = found?.v6 ?? found?.v4;
  const port = found?.port;
  if (host === undefined || isIP(host) === 0 || Number(port) < 1 || Number(port) > 65_535)
    throw invalid(
      `listen address ${JSON.stringify(text)} is not address:port`,
      "write e.g. 0.0.0.0:80 or [::]:80",
    );
  return { host, port: Number(port) };
}

function port(value: number): number {
  if (value > 65_535) throw invalid(`the port ${value} is not 1 to 65535`, "choose another");
  return count(value, "port");
}

function count(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1)
    throw invalid(`${name} is ${value}`, "use a positive whole number");
  return value;
}

async function defaultUser(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [users, groups] = await Promise.all([
    readFile("/etc/passwd", "utf8"),
    readFile("/etc/group", "utf8"),
  ]);
  return /^haproxy:/m.test(users) && /^haproxy:/m.test(groups) ? "haproxy" : undefined;
}
