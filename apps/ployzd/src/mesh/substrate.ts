import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ServiceHost, waitFor } from "@ployz/exec";
import { type ImageStore, openImageStore, otherDigest, type UnpackedImages } from "@ployz/images";
import { type LocalStoreMachine, openStoreMachine } from "@ployz/nats-store";
import { forbidden, type MachineRecord } from "@ployz/primitives/protocol";
import {
  applyNetworkPolicy,
  type Closed,
  type ContainerSettings,
  closedFilters,
  hasNetworkPolicy,
  type NetworkSpec,
  openDockerRuntime,
  openProcessRuntime,
  type Runtime,
} from "@ployz/runtime";
import { openWireguard, overlayMtu, type Peer, planSubnet, type Wireguard } from "@ployz/wireguard";
import { portOf } from "../config/listen.ts";
import type { Config } from "../config/load.ts";
import { resolvedPaths } from "../config/resolved-paths.ts";
import { overlayStorePorts, storePorts } from "../config/store-ports.ts";
import type { PloyzError } from "../error-codes.ts";
import type { Payload } from "../host/payload.ts";
import { imageFiles, openUnpacked } from "../images/files.ts";
import { SWAP_SERVICE } from "../participant/update/record.ts";
import type { Storage } from "../participant/volumes/storage.ts";
import type { Paths } from "../state/paths.ts";
import type { AddressRange } from "../state/reservations.ts";
import { followerService } from "./followers.ts";
import { localCandidates } from "./identity.ts";
import type { Membership } from "./membership.ts";
import type { Kept } from "./upkeep.ts";

export const INTERFACE = "ployz-wg0";
export const BRIDGE = "ployz0";
/** How often the follower of DNS checks that the network policy is in place: another program may have flushed it. */
export const POLICY_CHECK_MS = 20_000;
/** Longer than a follower that runs needs to notice: a closed policy must not replace one that it has just restored. */
const POLICY_MS = 3 * POLICY_CHECK_MS;

export interface Surroundings {
  readonly config: Config;
  readonly paths: Paths;
  readonly payload: Payload;
  readonly services: ServiceHost;
  readonly storage: Storage;
}

/** The programs and devices of one member. */
export interface Substrate {
  readonly wireguard: Wireguard;
  readonly runtime: Runtime;
  readonly images: ImageStore;
  /** Absent with Docker, which unpacks by itself. */
  readonly unpacked: UnpackedImages | undefined;
  readonly network: NetworkSpec;
  readonly range: AddressRange;
  /** This machine's part in the store, if any. */
  readonly store: LocalStoreMachine;
  /** Tunnels, bridge, gateway and DNS: started or adopted. Returns those that were not running. */
  up(membership: Membership): Promise<readonly string[]>;
  setPeers(membership: Membership): Promise<void>;
  /** Puts back what another program changed of tunnel, routes, bridge, filter and followers. */
  keep(membership: Membership): Promise<Kept>;
  /** The disk of this machine's store server is full: as the last look found it. */
  storeBlocked(): PloyzError | undefined;
  /** The operator wants namespaces apart: the configuration's `policy.isolation`. */
  readonly wantsIsolation: boolean;
  /** Filters of other programs that stand in the way; the operator opens those. */
  closedFilters(): Promise<readonly Closed[]>;
  /** Starts or adopts this machine's store server, if any. Call it once the newest generation is known. */
  startStore(membership: Membership): Promise<readonly string[]>;
  /** Updates the users of this machine's running store server, if any. */
  setUsers(membership: Membership): Promise<void>;
  /**
   * Resolves when namespaces are apart: the follower of DNS sees to that. If it does not, `log` gets the reason, and no workload reaches another
   * until it does.
   */
  isolated(log: (error: unknown) => void): Promise<void>;
  down(): Promise<void>;
}

export async function openSubstrate(
  around: Surroundings,
  membership: Pick<Membership, "cluster" | "machine" | "machines">,
): Promise<Substrate> {
  const { config, paths, payload, services } = around;
  const { cluster, machine } = membership;
  const plan = planSubnet({
    clusterCidr: cluster.clusterCidr,
    prefixLength: cluster.subnetPrefixLength,
    index: machine.index,
  });
  const mtu = config.wireguardMtu ?? (await overlayMtu(localCandidates(config, [cluster.clusterCidr])));
  const network: NetworkSpec = {
    bridge: BRIDGE,
    subnet: machine.subnet,
    gateway: machine.address,
    clusterCidr: cluster.clusterCidr,
    mtu,
  };
  const controlPorts = [...overlayStorePorts(config.storePort), config.transferPort, config.joinPort];
  const wireguard = openWireguard({ name: INTERFACE, dir: paths.wireguard, services });
  const images = openImageStore(paths.images);
  const refuseRoot = config.refusedRights.includes("root");
  const forbids = async (settings: ContainerSettings) =>
    forbidden(settings, await resolvedPaths(config.allowed), config.refusedRights);
  const bindDir = join(config.runDir, "binds");
  await images.blobs.tidy();
  const { storage } = around;
  const unpacked =
    machine.runtime === "docker"
      ? undefined
      : openUnpacked(images, {
          mounts: paths.layers,
          pool:
            storage.root === undefined
              ? undefined
              : () => storage.ready().then(({ zfs, layout }) => ({ zfs, root: layout.root })),
        });
  const runtime =
    machine.runtime === "docker"
      ? await openDockerRuntime({
          ...{ socketPath: config.dockerSocket, controlPorts, refuseRoot, forbids, bindDir },
          imageId: (digest) => otherDigest(images, digest),
        })
      : await openProcessRuntime({
          root: paths.instances,
          runDir: paths.instancesRun,
          logDir: paths.instanceLogs,
          ...{ controlPorts, refuseRoot, forbids, bindDir },
          hidden: [config.dataDir, config.runDir],
          ...(unpacked !== undefined && {
            images: imageFiles(unpacked, () => storage.root === undefined || storage.present() !== undefined),
          }),
        });

  let members = membership.machines;
  const first = storePorts(config.storePort, 1);
  const store = openStoreMachine({
    ...{ cluster: cluster.id, machine: machine.id, dir: paths.store },
    first: { listen: { host: machine.address, port: first.client }, monitorPort: first.monitor },
    users: async (stores) =>
      members.map(({ id, nkey }) => ({
        machine: id,
        publicKey: nkey,
        role: stores.includes(id) ? ("store" as const) : ("machine" as const),
      })),
    ...{ host: services, binary: config.natsServer ?? payload.natsServer },
  });
  let storeStarted = false;
  let storeFull: PloyzError | undefined;
  const keepStore = async (): Promise<Kept> => {
    const found = storeStarted ? await store.makeRoom() : undefined;
    storeFull = found?.restarted === false ? found.error : undefined;
    return {
      repaired: found?.restarted === true ? ["store: started again, since its disk has room again"] : [],
      remaining: storeFull === undefined ? [] : [`store: ${storeFull.message}`],
    };
  };
  const runStore = async (now: Membership) => {
    members = now.machines;
    const { generation } = now.cluster;
    return store.start(generation, now.machine.store && generation === 1);
  };
  const setPeers = ({ machines }: Membership) => wireguard.setPeers(peersOf(machines, machine.id));
  const followers = async (): Promise<readonly string[]> => {
    const changes = await Promise.all(
      (["gateway", "dns"] as const).map(
        async (name) => [name, await services.ensure(followerService(name, around))] as const,
      ),
    );
    return changes.flatMap(([name, change]) => (change === "unchanged" ? [] : [`ployz-${name}: ${change}`]));
  };

  return {
    wireguard,
    runtime,
    images,
    unpacked,
    network,
    range: { first: plan.firstInstance, last: plan.lastInstance },
    wantsIsolation: config.isolation,
    storeBlocked: () => storeFull,
    setPeers: async (now) => void (await setPeers(now)),
    async keep(now) {
      const kept = await keepStore(); // first: the rest needs a disk with room
      const { changes } = await setPeers(now);
      const faults = await runtime.networkFaults(network);
      if (faults.length > 0) await runtime.ensureNetwork(network);
      const remaining = faults.length > 0 ? await runtime.networkFaults(network) : [];
      const repaired = faults.filter((fault) => !remaining.includes(fault));
      const tunnel = changes.map((change) => `${INTERFACE}: ${change}`);
      return {
        repaired: [...tunnel, ...repaired, ...(await followers()), ...kept.repaired],
        remaining: [...remaining, ...kept.remaining],
      };
    },
    closedFilters: () =>
      closedFilters({
        ...{ network, tunnel: INTERFACE, wireguardPort: config.wireguardPort },
        workloadPorts: [53, portOf(config.gatewayListen[0] ?? "")],
      }),
    async startStore(now) {
      const results = await runStore(now);
      storeStarted = true;
      return results
        .filter(({ change }) => change !== "unchanged")
        .map(({ change }) => `nats-server: ${change}`);
    },
    async setUsers(now) {
      members = now.machines;
      if (storeStarted) await runStore(now);
    },
    store,
    async up(now) {
      await Promise.all(
        [paths.serviceLogs, paths.instanceLogs, paths.instancesRun, paths.services].map((dir) =>
          mkdir(dir, { recursive: true }),
        ),
      );
      const started: string[] = [];
      const note = (what: string, change: string) => {
        if (change !== "unchanged" && change !== "adopted") started.push(`${what}: ${change}`);
      };
      note(
        "wireguard",
        (
          await wireguard.ensure({
            privateKeyFile: paths.wireguardKey,
            address: `${machine.address}/32`,
            listenPort: config.wireguardPort,
            mtu,
          })
        ).outcome,
      );
      await setPeers(now);
      await runtime.ensureNetwork(network);
      return [...started, ...(await followers())];
    },
    async isolated(log) {
      if (membership.cluster.isolation !== "on") return;
      const there = async () => ((await hasNetworkPolicy(network)) ? true : undefined);
      await waitFor("the network policy", there, { timeoutMs: POLICY_MS }).catch((error: unknown) => {
        log(error);
        return applyNetworkPolicy(network, { groups: [], machines: [], gatewayPorts: [], udpPorts: [] });
      });
    },
    async down() {
      await Promise.all(["ployz-gateway", "ployz-dns", SWAP_SERVICE].map((name) => services.remove(name)));
      await services.remove("ployz-haproxy");
      await runtime.removeNetwork(network);
      await store.remove();
      await wireguard.remove();
      await Promise.all(
        [paths.store, paths.gateway, paths.dns, paths.mirror, paths.wireguard].map((dir) =>
          rm(dir, { recursive: true, force: true }),
        ),
      );
    },
  };
}

/** All other members. A peer behind NAT keeps its own mapping open; the keepalive costs one packet in 25 s. */
export function peersOf(machines: readonly MachineRecord[], self: string): readonly Peer[] {
  return machines
    .filter((member) => member.id !== self)
    .map((member) => ({
      publicKey: member.publicKey,
      allowedIps: [member.subnet],
      keepaliveSeconds: 25,
      ...(member.endpoints[0] !== undefined && { endpoint: member.endpoints[0] }),
      ...(member.endpoints.length > 1 && { fallbacks: member.endpoints.slice(1) }),
    }));
}
