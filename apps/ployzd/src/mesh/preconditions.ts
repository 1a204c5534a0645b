import { mkdir, statfs } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { findProgram } from "@ployz/exec";
import { findServer } from "@ployz/nats-store";
import { localRoutes, overlappingRoutes, probeWireguard } from "@ployz/wireguard";
import { listenAddress, portOf } from "../config/listen.ts";
import { storePorts } from "../config/store-ports.ts";
import { PloyzError } from "../error-codes.ts";
import { needPorts, type Wanted } from "../host/listeners.ts";
import { INTERFACE, type Surroundings } from "./substrate.ts";

/** The machine's future membership. */
export interface Seat {
  readonly clusterCidr: string;
  readonly address: string;
  readonly store: boolean;
}

/** Minimum free space of a member: its logs alone may take 100 MB. */
const NEEDED_DISK = 256 * 1024 ** 2;

const NEEDED_PROGRAMS = [
  { program: "haproxy", pkg: "haproxy", code: "haproxy_missing" },
  { program: "ip", pkg: "iproute2", code: "ip_missing" },
  { program: "nft", pkg: "nftables", code: "nft_missing" },
] as const;

/** Checks of `mesh init` and `mesh join` before they create anything. */
export async function preconditions(around: Surroundings, seat: Seat): Promise<void> {
  const { config, payload } = around;
  const wireguard = await probeWireguard();
  if (wireguard.mode === "none")
    throw new PloyzError({ code: "wireguard_missing", message: wireguard.reason, hint: wireguard.hint });
  for (const { program, pkg, code } of NEEDED_PROGRAMS) {
    if ((await findProgram(program)) === undefined)
      throw new PloyzError({
        code,
        message: `${program} is not installed`,
        hint: `apt-get install ${pkg}`,
      });
  }
  await findServer(config.natsServer ?? payload.natsServer);
  const overlap = overlappingRoutes(seat.clusterCidr, await localRoutes())[0];
  if (overlap !== undefined) {
    throw new PloyzError({
      code: "cidr_overlap",
      message: `${seat.clusterCidr} overlaps the route to ${overlap.destination} on ${overlap.device}`,
      hint: "choose another range: --cidr, or cluster_cidr in the configuration",
    });
  }
  await needDisk(config.dataDir);
  await needFreePorts(around, seat);
}

async function needDisk(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize >= NEEDED_DISK) return;
  throw new PloyzError({
    code: "disk_full",
    message: `only ${Math.floor((bavail * bsize) / 1024 ** 2)} MiB free in ${dir}`,
    hint: "free at least 256 MiB there, or set data_dir in the configuration",
  });
}

async function needFreePorts({ config, services }: Surroundings, seat: Seat): Promise<void> {
  // The remains of an interrupted attempt may listen there; they are adopted or removed.
  const left = (await services.list()).some((name) => name.startsWith("ployz-"));
  if (left || INTERFACE in networkInterfaces()) return;
  const set = (field: string) => `set ${field} in /etc/ployz/config.toml and run: ployzctl daemon install`;
  const { address } = seat;
  const wanted: readonly Wanted[] = [
    {
      ...{ protocol: "tcp", address: listenAddress(config.gatewayListen) },
      ...{ port: portOf(config.gatewayListen[0] ?? ""), what: "gateway", fix: set("gateway_listen") },
    },
    {
      ...{ protocol: "udp", address: "0.0.0.0", port: config.wireguardPort },
      ...{ what: "WireGuard", fix: set("wireguard_port") },
    },
    {
      ...{ protocol: "tcp", address, port: config.transferPort },
      ...{ what: "transfers", fix: set("transfer_port") },
    },
    ...(["tcp", "udp"] as const).map((protocol) => ({
      ...{ protocol, address, port: 53 },
      ...{ what: "DNS", fix: "configure it to listen on its own addresses only, not on all" },
    })),
    ...(seat.store
      ? [
          {
            ...{ protocol: "tcp" as const, address, port: config.storePort },
            ...{ what: "store", fix: set("store_port") },
          },
          {
            ...{
              protocol: "tcp" as const,
              address: "127.0.0.1",
              port: storePorts(config.storePort, 1).monitor,
            },
            ...{ what: "store's monitor", fix: "configure it to listen elsewhere" },
          },
        ]
      : []),
  ];
  await needPorts(wanted);
}
