import { addressAt, type Cidr, formatCidr, overlaps, parseCidr } from "./cidr.ts";
import { PloyzError } from "./error-codes.ts";

/** Which machine's subnet of a cluster's network. */
export interface SubnetRequest {
  /** The cluster's IPv4 network, e.g. `10.101.0.0/16`. */
  readonly clusterCidr: string;
  /** Prefix of one machine's subnet, e.g. 24; at most 29, to leave addresses for instances. */
  readonly prefixLength: number;
  /** 0-based index of the subnet. */
  readonly index: number;
}

/** One machine's share of the cluster's addresses. All addresses without prefix. */
export interface SubnetPlan {
  readonly subnet: string;
  /** The machine's own overlay address: the subnet's first host. */
  readonly machineAddress: string;
  readonly firstInstance: string;
  /** Inclusive. The broadcast address stays free. */
  readonly lastInstance: string;
  readonly instanceCapacity: number;
}

/** The number of machines that fit in a cluster network. @throws PloyzError `cidr_invalid`. */
export function subnetCapacity(clusterCidr: string, prefixLength: number): number {
  return 2 ** (prefixLength - clusterNetwork(clusterCidr, prefixLength).prefix);
}

/** @throws PloyzError `cidr_invalid`, `subnet_exhausted` (no such index in the network). */
export function planSubnet({ clusterCidr, prefixLength, index }: SubnetRequest): SubnetPlan {
  const cluster = clusterNetwork(clusterCidr, prefixLength);
  const capacity = subnetCapacity(clusterCidr, prefixLength);
  if (!Number.isInteger(index) || index < 0 || index >= capacity) {
    throw new PloyzError({
      code: "subnet_exhausted",
      message: `${clusterCidr} holds ${capacity} subnets of /${prefixLength}; index ${index} is out of range`,
      hint: "remove dead machines, or create the cluster with a larger network",
    });
  }
  const size = 2n ** BigInt(32 - prefixLength);
  const subnet: Cidr = { family: 4, network: cluster.network + BigInt(index) * size, prefix: prefixLength };
  return {
    subnet: formatCidr(subnet),
    machineAddress: addressAt(subnet, 1n),
    firstInstance: addressAt(subnet, 2n),
    lastInstance: addressAt(subnet, size - 2n),
    instanceCapacity: Number(size) - 3,
  };
}

/** A route of this machine. */
export interface Route {
  /** `default` or a network. */
  readonly destination: string;
  readonly device: string;
}

/** Existing routes that overlap `cidr`. The default route never counts. @throws PloyzError `cidr_invalid`. */
export function overlappingRoutes(cidr: string, routes: readonly Route[]): readonly Route[] {
  const wanted = parseCidr(cidr);
  return routes.filter(({ destination }) => {
    if (destination === "default") return false;
    const route = parseCidr(destination);
    return route.prefix > 0 && overlaps(wanted, route);
  });
}

function clusterNetwork(clusterCidr: string, prefixLength: number): Cidr {
  const cluster = parseCidr(clusterCidr);
  if (cluster.family !== 4) {
    throw new PloyzError({
      code: "cidr_invalid",
      message: `the cluster network ${clusterCidr} must be IPv4`,
    });
  }
  if (!Number.isInteger(prefixLength) || prefixLength < cluster.prefix || prefixLength > 29) {
    throw new PloyzError({
      code: "cidr_invalid",
      message: `a machine's prefix must be ${cluster.prefix} to 29 in ${clusterCidr}, not ${prefixLength}`,
      hint: "24 gives a machine 253 addresses",
    });
  }
  return cluster;
}
