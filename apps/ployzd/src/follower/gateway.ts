import { openServiceHost } from "@ployz/exec";
import { type Adopted, openGateway, type RouteTable } from "@ployz/gateway";
import { portOf } from "../config/listen.ts";
import { PloyzError } from "../error-codes.ts";
import { BRIDGE } from "../mesh/substrate.ts";
import { openCertificateFiles } from "../state/certificates.ts";
import { serialise } from "../state/files.ts";
import { openUserFiles } from "../state/route-users.ts";
import { openAccessLog } from "./access-log.ts";
import { certificatesOf } from "./certificates.ts";
import { viewOf } from "./gateway-view.ts";
import { openHostPorts } from "./host-ports.ts";
import { buildTable, type Head, tableVersion } from "./project.ts";
import { asksUsers, openRouteUsers } from "./route-users.ts";
import type { FollowerDeps, Served } from "./run.ts";
import { openUdpGateway } from "./udp.ts";

/** The longest drain of a manifest: the operation, not the gateway, ends an instance's remaining connections. */
const LONGEST_DRAIN_MS = 86_400_000;

/** Longer than an authority looks at a challenge. */
const CHALLENGE_MS = 3_600_000;

interface Order {
  readonly answers: readonly [string, string][];
  readonly proofs: readonly [string, string][];
  readonly until: number;
}

/** HAProxy as this machine's gateway. It outlives this process. */
export async function serveGateway({ config, paths, membership, log }: FollowerDeps): Promise<Served> {
  const services = await openServiceHost({ dir: paths.services, logDir: paths.serviceLogs });
  const gateway = await openGateway({
    dir: paths.gateway,
    listen: config.gatewayListen,
    ...(config.gatewayHttpsListen.length > 0 && { httpsListen: config.gatewayHttpsListen }),
    trustedProxies: config.trustedProxies,
    proxyProtocol: config.proxyProtocol,
    ...(config.gatewayMetrics !== undefined && { statsListen: config.gatewayMetrics }),
    services,
    drainTimeoutMs: LONGEST_DRAIN_MS,
    accessLog: config.accessLog,
  });
  const access = await openAccessLog({ config, paths, log });
  const port = portOf(config.gatewayListen[0] ?? "");
  // After a reboot another program may have taken a TCP route's port first: serve the other routes anyway.
  const adopted = await gateway.adopt().catch((error: unknown): Adopted => {
    const held = takenPort(error);
    if (held === undefined || held === port) throw error;
    return { state: "absent" };
  });
  log.info(adopted, "haproxy");
  const { machine, cluster } = membership;
  const udp = openUdpGateway(
    { bridge: BRIDGE, gateway: machine.address, clusterCidr: cluster.clusterCidr },
    { listens: config.gatewayListen, log },
  );
  const hostPorts = openHostPorts(
    { bridge: BRIDGE, gateway: machine.address },
    { machine: machine.id, allowed: config.allowed, log },
  );
  const inTurn = serialise();
  let version = adopted.version ?? "";
  let dropped: readonly string[] = [];

  const files = openCertificateFiles(paths.certificates);
  const certify = async (): Promise<void> => gateway.certify(certificatesOf(await files.list()));
  await certify().catch((error: unknown) => log.error({ err: error }, "certificates"));
  const orders = new Map<string, Order>();

  /** Drops only the route whose port another program uses on this machine. */
  async function applyAllButTaken(table: RouteTable): Promise<{ changed: string; taken: readonly string[] }> {
    const taken: string[] = [];
    for (let rest = table; ; ) {
      try {
        return { changed: (await gateway.apply(rest)).changed, taken };
      } catch (error) {
        const held = takenPort(error);
        const mine = rest.routes.filter((route) => route.kind === "tcp" && route.listenPort === held);
        if (mine.length === 0) throw error;
        taken.push(...mine.map(({ id }) => `${id} (another program uses TCP port ${held})`));
        rest = { ...rest, routes: rest.routes.filter((route) => !mine.includes(route)) };
      }
    }
  }

  const users = openRouteUsers(openUserFiles(paths.routeUsers), (error) =>
    log.error({ err: error }, "users"),
  );
  await users.read();
  let served: readonly Head[] | undefined;
  const serve = async (heads: readonly Head[]): Promise<void> => {
    const built = buildTable(heads, { reservedPorts: [port] }, users.of);
    const { changed, taken } = await applyAllButTaken(built.table);
    dropped = [...built.dropped.map((id) => `${id} (conflicts with an older route)`), ...taken];
    if (dropped.length > 0) log.error({ dropped }, "routes not served here");
    version = built.table.version;
    log.info({ changed, version }, "haproxy");
    served = heads;
  };

  return {
    async apply({ heads }) {
      access.know(heads);
      await udp.apply(heads);
      await hostPorts.apply(heads);
      const same = adopted.state !== "absent" && version === tableVersion(heads);
      if (same && !asksUsers(heads)) {
        served = heads;
        return;
      }
      // The daemon brings the users of new routes: a moment without them would refuse everyone.
      await users.until(heads);
      await inTurn(() => serve(heads));
    },
    users: () =>
      inTurn(async () => {
        // Before the first commits are applied, the state on disk is served.
        if ((await users.read()) && served !== undefined) await serve(served);
      }),
    hold: async (namespace, service, ms) =>
      (await gateway.hold((backend) => backend.startsWith(`${namespace}/${service}/`), ms, { drain: true }))
        .length > 0,
    certify,
    async challenge(order, answers, proofs) {
      const now = performance.now();
      orders.set(order, {
        ...{ answers: Object.entries(answers), proofs: Object.entries(proofs), until: now + CHALLENGE_MS },
      });
      for (const [id, one] of orders)
        if (one.answers.length + one.proofs.length === 0 || one.until < now) orders.delete(id);
      const all = [...orders.values()];
      await gateway.challenge(
        new Map(all.flatMap((one) => one.answers)),
        new Map(all.flatMap((one) => one.proofs)),
      );
    },
    status: () => ({ version, dropped: [...dropped, ...udp.dropped(), ...hostPorts.dropped()] }),
    show: async () =>
      viewOf(await gateway.status(), {
        ...{ certificates: await files.list(), accessLog: access.state() },
        filter: [await udp.view(), await hostPorts.view()],
        dropped: [...dropped, ...udp.dropped(), ...hostPorts.dropped()],
      }),
    async live() {
      const { state, servers } = await gateway.status();
      const down = servers.flatMap((one) => (one.state === "down" ? [`${one.backend} ${one.id}`] : []));
      return { state, down: [...down, ...udp.down()] };
    },
    close() {
      udp.close();
      hostPorts.close();
      return access.close();
    },
  };
}

function takenPort(error: unknown): number | undefined {
  if (!(error instanceof PloyzError) || error.code !== "port_taken") return undefined;
  const { port } = (error.details ?? {}) as { readonly port?: number };
  return port;
}
