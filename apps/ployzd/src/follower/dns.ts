import { openDns, type ZoneRecords } from "@ployz/dns";
import type { MachineRecord } from "@ployz/primitives";
import type { Head } from "./project.ts";
import type { FollowerDeps, Served } from "./run.ts";

/** The names of every committed instance, and of the machines. */
export function zoneOf(heads: readonly Head[], machines: readonly MachineRecord[]): ZoneRecords {
  return {
    services: heads.flatMap(({ commit }) =>
      Object.keys(commit.services).map((service) => ({
        namespace: commit.namespace,
        service,
        instances: commit.instances
          .filter((instance) => instance.service === service)
          .map(({ id, slot, address, ports }) => ({ id, slot: String(slot), address, ports })),
      })),
    ),
    machines: machines.map(({ id, address }) => ({ name: id, address })),
  };
}

/** DNS on the machine's overlay address, for its workloads. */
export async function serveDns({ config, membership, log }: FollowerDeps): Promise<Served> {
  const { machine, cluster } = membership;
  const server = await openDns({
    listen: [{ address: machine.address, port: 53 }],
    overlay: cluster.clusterCidr,
    ...(config.dnsForward !== undefined && { upstreams: config.dnsForward.map(upstream) }),
  });
  log.info({ addresses: server.addresses }, "dns");
  return {
    async apply(heads, machines) {
      server.update(zoneOf(heads, machines));
    },
    staleMs: (namespace) => server.staleMs(`${namespace}.cluster.local`),
    status: () => server.stats(),
    close: () => server.close(),
  };
}

function upstream(text: string): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
