import { PloyzError } from "@ployz/exec";
import type { ClusterRecord, MachineAddPorts } from "@ployz/primitives";
import { planSubnet } from "@ployz/wireguard";

/** The cluster's address plan, as the primitives ask for it. */
export const subnetsOf =
  ({ clusterCidr, subnetPrefixLength }: ClusterRecord): Awaited<ReturnType<MachineAddPorts["subnets"]>> =>
  (index) => {
    try {
      const { subnet, machineAddress } = planSubnet({ clusterCidr, prefixLength: subnetPrefixLength, index });
      return { subnet, address: machineAddress };
    } catch (error) {
      if (error instanceof PloyzError) return undefined; // beyond the range
      throw error;
    }
  };
