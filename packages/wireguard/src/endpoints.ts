import ipaddr from "ipaddr.js";
import { contains, parseAddress, parseCidr } from "./cidr.ts";

/** The shape of `os.networkInterfaces()`. */
export type LocalInterfaces = Readonly<
  Record<
    string,
    | readonly { readonly address: string; readonly internal: boolean; readonly cidr?: string | null }[]
    | undefined
  >
>;

/** An address under which other machines may reach this one. */
export interface CandidateEndpoint {
  readonly address: string;
  readonly interface: string;
  readonly scope: "private" | "shared" | "global" | "local";
}

/** Interfaces that only reach this machine's own workloads, or are tunnels themselves. A plain bridge (br0) may hold the machine's address. */
const VIRTUAL =
  /^(lo|docker\d|br-[0-9a-f]{12}$|veth|virbr|vnet|cni|flannel|cali|podman|lxc|lxdbr|ployz|wg|tun|tap|dummy)/;

/** Neighbours talk over the network that costs nothing; a peer elsewhere falls back to the next one. */
const SCOPE_RANK = { private: 0, shared: 1, global: 2, local: 3 } as const;

/**
 * Addresses under which peers may reach this machine, best first: private, then carrier-grade NAT (100.64.0.0/10), then global unicast, then
 * unique local (RFC 4193); IPv4 before IPv6 within one scope. Never loopback, link-local, container networks or networks in `exclude` (the overlay).
 * @throws PloyzError `cidr_invalid` for a bad `exclude`.
 */
export function candidateEndpoints(
  interfaces: LocalInterfaces,
  { exclude = [] }: { readonly exclude?: readonly string[] } = {},
): readonly CandidateEndpoint[] {
  const excluded = exclude.map(parseCidr);
  const found: CandidateEndpoint[] = [];
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (VIRTUAL.test(name)) continue;
    for (const { address, internal } of addresses ?? []) {
      const scope = scopeOf(address);
      if (internal || scope === undefined || excluded.some((cidr) => contains(cidr, address))) continue;
      found.push({ address, interface: name, scope });
    }
  }
  const rank = (candidate: CandidateEndpoint) =>
    SCOPE_RANK[candidate.scope] * 2 + (candidate.address.includes(":") ? 1 : 0);
  return found.sort(
    (a, b) => rank(a) - rank(b) || compare(a.interface, b.interface) || compare(a.address, b.address),
  );
}

/**
 * The address to publish. `reachableHint` is an address at which the machine was reached (the SSH target): it wins even when no interface
 * has it, as behind NAT.
 */
export function chooseEndpoint(
  candidates: readonly CandidateEndpoint[],
  reachableHint?: string,
): string | undefined {
  if (reachableHint !== undefined && scopeOf(reachableHint) !== undefined) return reachableHint;
  return candidates[0]?.address;
}

/**
 * A connection's source address, if other machines can use it too: not loopback or link-local, not in `exclude` (the overlay), and not in a
 * network local to this machine (its containers).
 * @throws PloyzError `cidr_invalid` for a bad `exclude`.
 */
export function observedAddress(
  address: string,
  interfaces: LocalInterfaces,
  { exclude = [] }: { readonly exclude?: readonly string[] } = {},
): string | undefined {
  const own = Object.entries(interfaces).flatMap(([name, addresses]) =>
    VIRTUAL.test(name) ? (addresses ?? []).map(({ cidr }) => cidr ?? "") : [],
  );
  const inOwn = own.some((cidr) => {
    const [host = "", prefix] = cidr.split("/");
    const parsed = parseAddress(host);
    return (
      parsed !== undefined &&
      contains({ family: parsed.family, network: parsed.value, prefix: Number(prefix) }, address)
    );
  });
  if (scopeOf(address) === undefined || inOwn) return undefined;
  return exclude.some((cidr) => contains(parseCidr(cidr), address)) ? undefined : address;
}

/** `address:port` as wg(8) writes it. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** RFC 6890 registries, as ipaddr.js knows them. */
function scopeOf(address: string): CandidateEndpoint["scope"] | undefined {
  if (parseAddress(address) === undefined) return undefined;
  switch (ipaddr.parse(address).range()) {
    case "unicast":
      return "global";
    case "carrierGradeNat":
      return "shared";
    case "uniqueLocal":
      return "local";
    case "private":
    case "reserved": // documentation and benchmark networks, which labs use
    case "benchmarking":
      return "private";
    default:
      return undefined;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
