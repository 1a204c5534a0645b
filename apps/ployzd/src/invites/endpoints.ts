import { formatEndpoint } from "@ployz/wireguard";
import type { Config } from "../config/load.ts";
import { localEndpoints } from "../mesh/identity.ts";

/** Limit of addresses in a token, which is copied by hand. */
const MOST_ENDPOINTS = 8;

/** Where the join port of this machine is reached, as `host:port`, best first. `announced`: where peers reach it. */
export function joinEndpoints(
  config: Config,
  { announced, clusterCidr }: { readonly announced: readonly string[]; readonly clusterCidr: string },
): readonly string[] {
  const hosts = [...announced, ...localEndpoints(config, { exclude: [clusterCidr] })].map((endpoint) =>
    endpoint.slice(0, endpoint.lastIndexOf(":")).replaceAll(/[[\]]/g, ""),
  );
  return [...new Set(hosts)].slice(0, MOST_ENDPOINTS).map((host) => formatEndpoint(host, config.joinPort));
}
