import type { Confinement, ServiceSpec } from "@ployz/exec";
import type { Config } from "../config/load.ts";
import type { Payload } from "../host/payload.ts";
import type { Paths } from "../state/paths.ts";

interface FollowerSite {
  readonly config: Config;
  readonly paths: Paths;
  readonly payload: Payload;
}

/** The services beside the daemon: each follows the commits by itself. */
export function followerService(name: "gateway" | "dns", site: FollowerSite): ServiceSpec {
  const { config, payload } = site;
  return {
    name: `ployz-${name}`,
    description:
      name === "gateway"
        ? "Ployz gateway: follows commits into HAProxy"
        : "Ployz DNS: serves the names of committed instances",
    argv: [payload.node, ...payload.nodeFlags, payload.ployzd, name],
    // Another build or configuration changes the specification, which restarts the service.
    env: {
      PLOYZ_CONFIG: config.file.path,
      PLOYZ_CONFIG_DIGEST: config.file.digest,
      PLOYZ_DATA_DIR: config.dataDir,
      PLOYZ_SOCKET: config.socket,
      PLOYZ_BUILD: payload.build,
    },
    restart: "always",
    killMainOnly: true,
    startAtBoot: true,
    notifies: { watchdogMs: 60_000 },
    confined: confinements[name](site),
  };
}

/** Root without root's capabilities: it owns what it reads, such as the machine's key of the store. */
const confinements: Readonly<Record<"gateway" | "dns", (site: FollowerSite) => Confinement>> = {
  dns: ({ config, paths }) => ({
    // Port 53, and the packet filter that keeps namespaces apart.
    capabilities: ["net_bind_service", "net_admin"],
    writes: [paths.mirror, config.runDir],
    families: ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"],
    // nft prints the wanted rules in an empty one, to compare.
    namespaces: ["user", "net"],
    compiles: true,
  }),
  gateway: ({ config, paths }) => ({
    // It tries HAProxy's ports first, ends workers that outstay their drain, and loads the rules of UDP routes.
    capabilities: ["net_bind_service", "kill", "net_admin"],
    // It defines the service of HAProxy.
    writes: [paths.mirror, paths.gateway, paths.logs, config.runDir, "/etc/systemd/system"],
    families: ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"],
    compiles: true,
    seesProcesses: true,
    startsServices: true,
  }),
};
