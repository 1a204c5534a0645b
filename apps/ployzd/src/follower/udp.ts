import type { GatewayView } from "@ployz/primitives/protocol";
import { applyUdpRoutes, printedUdpRoutes, sendBack, type UdpNetwork, type UdpRoutes } from "@ployz/runtime";
import type { Logger } from "pino";
import { hostOf } from "../config/listen.ts";
import { keepRules, PUT_BACK } from "./kept-rules.ts";
import { type Head, type RoutedPort, udpRoutesOf } from "./project.ts";
import { openReach } from "./reach.ts";

/** UDP routes, as this machine's packet filter serves them: without this process too. */
export interface UdpGateway {
  apply(heads: readonly Head[]): Promise<void>;
  /** Routes that are not served, each with the reason in brackets. */
  dropped(): readonly string[];
  view(): Promise<Pick<GatewayView, "routes" | "servers" | "dropped">>;
  /** Instances that are not reached: backend and id. */
  down(): readonly string[];
  close(): void;
}

export function openUdpGateway(
  network: UdpNetwork,
  { listens, log }: { readonly listens: readonly string[]; readonly log: Logger },
): UdpGateway {
  // A packet of loopback cannot leave the machine: its own address on the overlay stands for it.
  const addresses = listens
    .map(hostOf)
    .filter((host) => !host.includes(":"))
    .map((host) => (host.startsWith("127.") ? network.gateway : host));
  let wanted: readonly RoutedPort[] = [];
  let clashing: readonly string[] = [];
  const reach = openReach({
    changed: () =>
      void kept.apply(() => {}).catch((error: unknown) => log.error({ err: error }, "UDP routes")),
  });
  /** When none is reached, all are tried. */
  const reached = (servers: RoutedPort["backend"]["servers"]) => {
    const up = servers.filter((server) => !reach.isDown(server));
    return up.length > 0 ? up : servers;
  };
  const rules = (): UdpRoutes => ({
    addresses,
    routes: wanted.map(({ listen, backend }) => ({ listenPort: listen, servers: reached(backend.servers) })),
  });
  const kept = keepRules({
    name: "UDP routes",
    wanted: rules,
    ports: () => wanted.map(({ listen }) => listen),
    apply: (now) => applyUdpRoutes(network, now),
    printed: () => printedUdpRoutes(network),
    // An engine makes the ports of its containers, and again when it restarts one.
    upkeep: async () => {
      if (wanted.length > 0) await sendBack(network);
    },
    log,
  });
  const named = (why: string): readonly string[] => wanted.map(({ id }) => `${id} (${why})`);
  const dropped = (): readonly string[] => {
    const failed = kept.failed();
    return [
      ...clashing.map((id) => `${id} (conflicts with an older route)`),
      ...(failed === undefined ? [] : named(failed)),
      ...(addresses.length > 0 ? [] : named("the gateway of this machine listens on no IPv4 address")),
    ];
  };
  return {
    apply: (heads) =>
      kept.apply(() => {
        const found = udpRoutesOf(heads);
        wanted = found.routes;
        clashing = found.dropped;
        reach.watch(wanted.flatMap(({ backend }) => backend.servers));
      }),
    dropped,
    view: () =>
      kept.view(({ there }) => ({
        routes: wanted.map(({ listen, backend }) => ({
          ...{ place: `udp:${listen}`, kind: "udp", to: backend.id, httpsOnly: false, options: [] },
        })),
        servers: wanted.flatMap(({ backend }) =>
          backend.servers.map(({ id, address, port }) => ({
            ...{ backend: backend.id, instance: id, address, port },
            state: reach.isDown({ address, port }) ? ("down" as const) : ("up" as const),
          })),
        ),
        dropped: there || kept.failed() !== undefined ? [] : named(PUT_BACK),
      })),
    down: () =>
      wanted.flatMap(({ backend }) =>
        backend.servers.flatMap((server) => (reach.isDown(server) ? [`${backend.id} ${server.id}`] : [])),
      ),
    close() {
      kept.close();
      reach.close();
    },
  };
}
