import { run } from "@ployz/exec";
import { formatCidr, parseCidr } from "./cidr.ts";
import type { Route } from "./plan.ts";

/** Marks Ployz's routes (rtnetlink(7), rtm_protocol; not in iproute2's rt_protos). */
export const ROUTE_PROTOCOL = 157;

export interface Link {
  /** `wireguard`, `tun` (wireguard-go), or the kind of another interface with that name. Empty for a physical interface. */
  readonly kind: string;
  readonly mtu: number;
  readonly up: boolean;
  /** `10.101.3.1/32`; link-local addresses left out. */
  readonly addresses: readonly string[];
}

/** Parses `ip -j -d addr show dev IF`. */
export function parseLink(json: string): Link | undefined {
  const parsed: unknown = JSON.parse(json.trim() || "[]");
  const entry = (Array.isArray(parsed) ? parsed : []).find(
    (item: { ifname?: unknown }) => typeof item.ifname === "string",
  ) as
    | {
        mtu: number;
        flags: string[];
        linkinfo?: { info_kind?: string };
        addr_info?: { local: string; prefixlen: number; scope: string }[];
      }
    | undefined;
  if (entry === undefined) return undefined;
  return {
    kind: entry.linkinfo?.info_kind ?? "",
    mtu: entry.mtu,
    up: entry.flags.includes("UP"),
    addresses: (entry.addr_info ?? [])
      .filter(({ scope }) => scope !== "link")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}

export interface DeviceRoute {
  readonly destination: string;
  readonly source?: string;
  readonly mtu?: number;
}

/** Parses `ip -j route show dev IF proto N`, where a host route has no prefix. */
export function parseDeviceRoutes(json: string, family: 4 | 6): readonly DeviceRoute[] {
  const entries = JSON.parse(json.trim() || "[]") as {
    dst: string;
    prefsrc?: string;
    metrics?: { mtu?: number }[];
  }[];
  return entries.map(({ dst, prefsrc, metrics }) => {
    const mtu = metrics?.find((metric) => metric.mtu !== undefined)?.mtu;
    return {
      destination: dst === "default" ? (family === 4 ? "0.0.0.0/0" : "::/0") : formatCidr(parseCidr(dst)),
      ...(prefsrc !== undefined && { source: prefsrc }),
      ...(mtu !== undefined && { mtu }),
    };
  });
}

/** The lines for `ip -batch -` that turn the present routes of the interface into the wanted ones: additions first. */
export function routeChanges(
  device: string,
  present: readonly DeviceRoute[],
  wanted: readonly DeviceRoute[],
): readonly string[] {
  const key = (route: DeviceRoute) => `${route.destination} ${route.source ?? ""} ${route.mtu ?? ""}`;
  const kept = new Set(wanted.map(({ destination }) => destination));
  const there = new Set(present.map(key));
  return [
    ...wanted
      .filter((route) => !there.has(key(route)))
      .map(({ destination, source, mtu }) =>
        [
          `route replace ${destination} dev ${device} proto ${ROUTE_PROTOCOL}`,
          ...(source === undefined ? [] : [`src ${source}`]),
          ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
        ].join(" "),
      ),
    ...present
      .filter(({ destination }) => !kept.has(destination))
      .map(({ destination }) => `route del ${destination} dev ${device} proto ${ROUTE_PROTOCOL}`),
  ];
}

/** Lists the routes of this network namespace's main tables, for `overlappingRoutes`. */
export async function localRoutes(): Promise<readonly Route[]> {
  const tables = await Promise.all([
    run("ip", ["-j", "-4", "route", "show"]),
    run("ip", ["-j", "-6", "route", "show"]),
  ]);
  return tables.flatMap(({ stdout }) =>
    (JSON.parse(stdout.trim() || "[]") as { dst: string; dev?: string }[]).map(({ dst, dev }) => ({
      destination: dst === "default" ? dst : formatCidr(parseCidr(dst)),
      device: dev ?? "",
    })),
  );
}
