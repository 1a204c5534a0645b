import type { GatewayView } from "@ployz/primitives/protocol";
import { applyUdpRoutes, printedUdpRoutes, type UdpNetwork, type UdpRoutes } from "@ployz/runtime";
import type { Logger } from "pino";
import { hostOf } from "../config/listen.ts";
import { POLICY_CHECK_MS } from "../mesh/substrate.ts";
import { serialise } from "../state/files.ts";
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
  const inTurn = serialise();
  let wanted: readonly RoutedPort[] = [];
  let clashing: readonly string[] = [];
  let failed: string | undefined;
  let loaded: { readonly text: string; readonly printed: string } | undefined;
  const reach = openReach({
    changed: () => void inTurn(load).catch((error: unknown) => log.error({ err: error }, "udp routes")),
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
  const load = async (): Promise<void> => {
    const now = rules();
    const text = JSON.stringify(now);
    if (loaded?.text === text) return;
    loaded = undefined;
    try {
      loaded = { text, printed: await applyUdpRoutes(network, now) };
      failed = undefined;
      if (wanted.length > 0) log.info({ ports: wanted.map(({ listen }) => listen) }, "udp routes");
    } catch (error) {
      failed = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, "udp routes");
    }
  };
  const look = async (): Promise<void> => {
    if (loaded !== undefined && (await printedUdpRoutes(network)) !== loaded.printed) {
      log.error("the rules of UDP routes were changed or gone; they are applied again");
      loaded = undefined;
    }
    await load();
  };
  const timer = setInterval(
    () => void inTurn(look).catch((error: unknown) => log.error({ err: error }, "udp routes")),
    POLICY_CHECK_MS,
  );
  const dropped = (): readonly string[] => [
    ...clashing.map((id) => `${id} (conflicts with an older route)`),
    ...(failed === undefined ? [] : wanted.map(({ id }) => `${id} (${failed})`)),
    ...(addresses.length > 0
      ? []
      : wanted.map(({ id }) => `${id} (the gateway of this machine listens on no IPv4 address)`)),
  ];
  return {
    apply: (heads) =>
      inTurn(async () => {
        const found = udpRoutesOf(heads);
        wanted = found.routes;
        clashing = found.dropped;
        reach.watch(wanted.flatMap(({ backend }) => backend.servers));
        await load();
      }),
    dropped,
    view: () =>
      inTurn(async () => {
        const there = (await printedUdpRoutes(network)) === loaded?.printed;
        return {
          routes: wanted.map(({ listen, backend }) => ({
            ...{ place: `udp:${listen}`, kind: "udp", to: backend.id, httpsOnly: false, options: [] },
          })),
          servers: wanted.flatMap(({ backend }) =>
            backend.servers.map(({ id, address, port }) => ({
              ...{ backend: backend.id, instance: id, address, port },
              state: reach.isDown({ address, port }) ? ("down" as const) : ("up" as const),
            })),
          ),
          dropped:
            there || failed !== undefined
              ? []
              : wanted.map(({ id }) => `${id} (its rules were changed; they are put back within 20 s)`),
        };
      }),
    down: () =>
      wanted.flatMap(({ backend }) =>
        backend.servers.flatMap((server) => (reach.isDown(server) ? [`${backend.id} ${server.id}`] : [])),
      ),
    close() {
      clearInterval(timer);
      reach.close();
    },
  };
}
