import { isIPv4 } from "node:net";
import type { ComposePath, Report } from "./report.ts";
import { scalarText } from "./words.ts";

export interface Published {
  readonly ports: Record<string, number>;
  readonly routes: (
    | { readonly tcp: number; readonly port: string }
    | { readonly udp: number; readonly port: string }
  )[];
  readonly hostPorts: {
    readonly port: number;
    readonly to: string;
    readonly protocol?: "udp";
    readonly address?: string;
  }[];
}

const SHORT =
  /^(?:(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):)?(?:(\d{1,5}(?:-\d{1,5})?)?:)?(\d{1,5}(?:-\d{1,5})?)(?:\/(\w+))?$/;
/** Of the gateways: HTTP and HTTPS are routed by host there. */
const HTTP = [80, 443];

/** `p80`: a name for a port that has none. */
const portName = (port: number): string => `p${port}`;

/**
 * `ports` and `expose` of a service: a published port is a route of every gateway, as `ingress` is; with `mode: host` or an address it is a port of the
 * instance's own machine. `routed`: its routes are given otherwise, so that a published port is a port only.
 */
export function convertPorts(
  service: { readonly ports?: unknown; readonly expose?: unknown },
  at: ComposePath,
  { report, routed }: { readonly report: Report; readonly routed: boolean },
): Published {
  const found: Published = { ports: {}, routes: [], hostPorts: [] };
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  for (const [index, entry] of list(service.expose).entries()) {
    const [, digits, protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(String(entry)) ?? [];
    const path = [...at, "expose", index];
    if (digits === undefined) report.add(path, "is not one port", "name each port");
    else if (protocol !== "tcp" && protocol !== "udp")
      report.add(path, `${protocol} is not supported`, "leave it out");
    else found.ports[portName(Number(digits))] = Number(digits);
  }
  for (const [index, entry] of list(service.ports).entries()) {
    const path = [...at, "ports", index];
    const one =
      typeof entry === "object" && entry !== null
        ? long(entry as Long, path, report)
        : short(entry, path, report);
    if (one === undefined) continue;
    const { target, published, protocol, host, address } = one;
    found.ports[portName(target)] = target;
    if (published === undefined || routed) continue;
    if (protocol === "tcp" && HTTP.includes(published))
      report.add(
        path,
        `port ${published} is the gateways', which route by host`,
        `name the host: x-ployz: { routes: [{ host: www.example.com, port: ${portName(target)} }] }`,
      );
    else if (host)
      found.hostPorts.push({
        ...{ port: published, to: portName(target) },
        ...(protocol === "udp" && { protocol }),
        ...(address !== undefined && { address }),
      });
    else if (protocol === "udp") found.routes.push({ udp: published, port: portName(target) });
    else found.routes.push({ tcp: published, port: portName(target) });
  }
  return found;
}

interface One {
  readonly target: number;
  readonly published?: number;
  readonly protocol: "tcp" | "udp";
  /** A port of one machine. */
  readonly host: boolean;
  readonly address?: string;
}

/** What an entry of `ports` publishes; two entries with the same key are one. */
export function portKey(entry: unknown): string {
  const [, address, published, target, protocol] = SHORT.exec(String(entry)) ?? [];
  const long = typeof entry === "object" && entry !== null ? (entry as Long) : undefined;
  const parts =
    long === undefined
      ? [address, published, target ?? scalarText(entry), protocol ?? "tcp"]
      : [long.host_ip, long.published, long.target, long.protocol ?? "tcp"];
  return JSON.stringify(parts.map((part) => (part === undefined ? "" : scalarText(part))));
}

function short(entry: unknown, path: ComposePath, report: Report): One | undefined {
  const [, address, published, target, protocol = "tcp"] = SHORT.exec(String(entry)) ?? [];
  if (target === undefined) return report.add(path, "is not a port mapping", "write PUBLISHED:PORT");
  return one(
    {
      ...{ target, protocol, host: false },
      ...(published !== undefined && { published }),
      ...(address !== undefined && { address }),
    },
    path,
    report,
  );
}

interface Long {
  readonly target?: unknown;
  readonly published?: unknown;
  readonly protocol?: unknown;
  readonly host_ip?: unknown;
  readonly [key: string]: unknown;
}

function long(
  { target, published, protocol = "tcp", mode = "ingress", host_ip: address, ...rest }: Long,
  path: ComposePath,
  report: Report,
) {
  const [other] = Object.keys(rest);
  if (other !== undefined) return report.add([...path, other], "is not supported", "leave it out");
  if (mode !== "host" && mode !== "ingress")
    return report.add(
      [...path, "mode"],
      `${scalarText(mode)} is not supported`,
      "use ingress (every gateway listens), or host (the machine of the instance does)",
    );
  const text = published === undefined ? {} : { published: scalarText(published) };
  const bound = address === undefined ? {} : { address: scalarText(address) };
  return one(
    { target: String(target), ...text, ...bound, protocol: String(protocol), host: mode === "host" },
    path,
    report,
  );
}

function one(
  {
    target,
    published,
    protocol,
    host,
    address,
  }: {
    readonly target: string;
    readonly published?: string;
    readonly protocol: string;
    readonly host: boolean;
    readonly address?: string;
  },
  path: ComposePath,
  report: Report,
): One | undefined {
  if (protocol !== "tcp" && protocol !== "udp")
    return report.add(path, `${protocol} is not supported`, "leave the port out");
  const loopback = address?.startsWith("127.");
  if (loopback || (address !== undefined && !isIPv4(address)))
    return report.add(
      path,
      loopback ? "is bound to loopback" : "is bound to an address that is not IPv4",
      "leave the port out, and use ployzctl port-forward",
    );
  const own = address === "0.0.0.0" ? undefined : address;
  if (/-/.test(`${target}${published ?? ""}`))
    return report.add(path, "is a range", "name each port by itself");
  if ([target, published ?? target].some((port) => !/^\d{1,5}$/.test(port)))
    return report.add(path, "is not a port", "write a number, such as 8080");
  return {
    target: Number(target),
    protocol,
    host: host || own !== undefined,
    ...(own !== undefined && { address: own }),
    ...(published !== undefined && { published: Number(published) }),
  };
}
