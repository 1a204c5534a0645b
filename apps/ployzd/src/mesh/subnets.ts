import type { SubnetPlan } from "@ployz/primitives";
import type { ClusterRecord } from "@ployz/primitives/protocol";
import { planSubnet } from "@ployz/wireguard";
import { PloyzError } from "../error-codes.ts";

/** The cluster's address plan: the addresses of machine number `index`. */
export const subnetPlan =
  ({ clusterCidr, subnetPrefixLength }: ClusterRecord): SubnetPlan =>
  (index) => {
    try {
      const { subnet, machineAddress } = planSubnet({ clusterCidr, prefixLength: subnetPrefixLength, index });
      return { subnet, address: machineAddress };
    } catch (error) {
      if (error instanceof PloyzError) return undefined; // beyond the range
      throw error;
    }
  };
