import type { KeptPorts } from "@ployz/primitives/protocol";
import { portOf } from "./listen.ts";
import type { Config } from "./load.ts";
import { storePorts } from "./store-ports.ts";

/** Of the daemon's metrics, unless the configuration names another. */
export const METRICS_PORT = 9464;

/** What no route may listen on here, as the configuration says; the kernel adds its defaults. */
export const keptPorts = (
  config: Pick<
    Config,
    | "gatewayListen"
    | "gatewayHttpsListen"
    | "storePort"
    | "transferPort"
    | "wireguardPort"
    | "joinPort"
    | "metricsListen"
    | "gatewayMetrics"
  >,
): KeptPorts => ({
  "the gateway": [...new Set([...config.gatewayListen, ...config.gatewayHttpsListen].map(portOf))],
  "the store": [1, 2].flatMap((generation) => Object.values(storePorts(config.storePort, generation))),
  transfers: [config.transferPort],
  WireGuard: [config.wireguardPort],
  "machines that join": [config.joinPort],
  metrics: [config.metricsListen ?? `:${METRICS_PORT}`, config.gatewayMetrics].flatMap((listen) =>
    listen === undefined || listen === "off" ? [] : [Number(listen.split(":")[1])],
  ),
});
