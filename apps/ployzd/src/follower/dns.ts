import { openDns, type Views, type ZoneRecords } from "@ployz/dns";
import type { MachineRecord } from "@ployz/primitives/protocol";
import {
  applyNetworkPolicy,
  isNetworkPolicyLoaded,
  type NetworkPolicy,
  removeNetworkPolicy,
} from "@ployz/runtime";
import { portOf } from "../config/listen.ts";
import { BRIDGE, POLICY_CHECK_MS } from "../mesh/substrate.ts";
import { isolate, residentsOf } from "./policy.ts";
import type { Head } from "./project.ts";
import type { Followed, FollowerDeps, Served } from "./run.ts";

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

/** DNS on the machine's overlay address, for its workloads, and the packet filter that keeps namespaces apart: a name is served only where it may be reached. */
export async function serveDns({ config, membership, log }: FollowerDeps): Promise<Served> {
  const { machine, cluster } = membership;
  const server = await openDns({
    listen: [{ address: machine.address, port: 53 }],
    overlay: cluster.clusterCidr,
    ...(config.dnsForward !== undefined && { upstreams: config.dnsForward.map(upstream) }),
  });
  log.info({ addresses: server.addresses }, "dns");
  const network = {
    ...{ bridge: BRIDGE, subnet: machine.subnet, gateway: machine.address },
    clusterCidr: cluster.clusterCidr,
  };
  const gatewayPorts = [...new Set([...config.gatewayListen, ...config.gatewayHttpsListen].map(portOf))];
  let last: Followed | undefined;
  /** The policy of `last`; absent: namespaces are not apart. */
  let enforced: NetworkPolicy | "off" | undefined;
  /** Before the names: what resolves can be reached, and what may not be reached does not resolve. */
  async function enforce(followed: Followed): Promise<Views | undefined> {
    if (!followed.isolated) {
      if (enforced !== "off") await removeNetworkPolicy(network);
      enforced = "off";
      return undefined;
    }
    const { policy, views } = isolate(residentsOf(followed), followed.machines, {
      ...{ self: machine.id, gatewayPorts },
    });
    if (JSON.stringify(enforced) !== JSON.stringify(policy)) await applyNetworkPolicy(network, policy);
    enforced = policy;
    return views;
  }
  const isRight = async () =>
    enforced === undefined || enforced === "off" || (await isNetworkPolicyLoaded(network, enforced));
  const look = async () => {
    if (last?.isolated !== true || (await isRight())) return;
    log.error("the network policy was changed or gone; it is applied again");
    enforced = undefined;
    await enforce(last);
  };
  const timer = setInterval(
    () => void look().catch((error: unknown) => log.error({ err: error }, "network policy")),
    POLICY_CHECK_MS,
  );
  return {
    async apply(followed) {
      last = followed;
      const views = await enforce(followed);
      server.update(zoneOf(followed.heads, followed.machines), views);
      const { skipped } = server.stats();
      if (skipped.length > 0) log.error({ skipped }, "names not served");
    },
    staleMs: (namespace) => server.staleMs(`${namespace}.cluster.local`),
    status() {
      const { skipped, ...stats } = server.stats();
      return { ...stats, dropped: skipped };
    },
    live: async () => ({
      policy: enforced === "off" ? "off" : (await isRight()) ? "loaded" : "changed",
    }),
    close() {
      clearInterval(timer);
      return server.close();
    },
  };
}

function upstream(text: string): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
