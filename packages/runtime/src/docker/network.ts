import type Docker from "dockerode";
import { PloyzError } from "../error-codes.ts";
import { checkNetwork } from "../network/addresses.ts";
import {
  addressBridge,
  answerForNeighbours,
  ensureFilter,
  linkExists,
  removeFilter,
} from "../network/apply.ts";
import type { NetworkSpec } from "../runtime.ts";
import { engine, engineUnless } from "./errors.ts";

/**
 * A user-defined network on a bridge of our name. No masquerade within the engine (the overlay keeps source addresses), and
 * `nat-unprotected`, without which engine 28 drops what comes from other machines; older engines ignore it.
 */
export async function ensureDockerNetwork(
  docker: Docker,
  network: NetworkSpec,
  controlPorts: readonly number[],
  labelPrefix: string,
): Promise<void> {
  checkNetwork(network);
  const { bridge } = network;
  let found = await inspect(docker, bridge);
  if (found === undefined) {
    // 409: another caller created it in between
    await engineUnless([409], `create network ${bridge}`, () =>
      docker.createNetwork({
        Name: bridge,
        CheckDuplicate: true,
        Driver: "bridge",
        EnableIPv6: false,
        IPAM: { Driver: "default", Config: [{ Subnet: network.subnet, Gateway: network.gateway }] },
        Labels: { [`${labelPrefix}runtime.network`]: bridge },
        Options: {
          "com.docker.network.bridge.name": bridge,
          "com.docker.network.bridge.enable_ip_masquerade": "false",
          "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
          "com.docker.network.driver.mtu": String(network.mtu),
        },
      }),
    );
    found = await inspect(docker, bridge);
  }
  const pool = found?.IPAM?.Config?.[0];
  if (pool?.Subnet !== network.subnet || pool.Gateway !== network.gateway) {
    throw new PloyzError({
      code: "network_conflict",
      message: `the engine's network ${bridge} has ${pool?.Subnet} with gateway ${pool?.Gateway}, not ${network.subnet} with ${network.gateway}`,
      hint: `remove its containers and then the network: docker network rm ${bridge}`,
    });
  }
  if (!(await linkExists(bridge))) {
    throw new PloyzError({
      code: "network_failed",
      message: `the engine's network ${bridge} has no bridge in this network namespace`,
      hint: "restart dockerd; it makes the bridges of its networks when it starts",
    });
  }
  await answerForNeighbours(bridge);
  await addressBridge(network);
  await ensureFilter(network, controlPorts);
}

export async function removeDockerNetwork(docker: Docker, network: NetworkSpec): Promise<void> {
  checkNetwork(network);
  await engineUnless([404], `remove network ${network.bridge}`, () =>
    docker.getNetwork(network.bridge).remove(),
  );
  await removeFilter(network);
}

async function inspect(docker: Docker, name: string): Promise<Docker.NetworkInspectInfo | undefined> {
  const networks = await engine("list networks", () => docker.listNetworks({ filters: { name: [name] } }));
  const match = networks.find((network) => network.Name === name); // the filter matches parts of names
  return match === undefined
    ? undefined
    : engine(`inspect network ${name}`, () => docker.getNetwork(match.Id).inspect());
}
