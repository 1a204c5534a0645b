import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PloyzError } from "@ployz/errors";
import { openServiceHost, type ServiceHost, stopS6 } from "@ployz/exec";
import { openImageStore } from "@ployz/images";
import type { Machines, SecretRef } from "@ployz/primitives/protocol";
import { type NetworkSpec, openProcessRuntime, type Runtime } from "@ployz/runtime";
import { ensureZfsFuse, openZfs, type Zfs } from "@ployz/zfs";
import { openBrought } from "../src/images/brought.ts";
import { openWanted } from "../src/images/wanted.ts";
import { openEndedLogs } from "../src/participant/ended-logs.ts";
import { type Handlers, handle } from "../src/participant/handlers.ts";
import { contentHandlers } from "../src/participant/images.ts";
import { instanceHandlers } from "../src/participant/instances.ts";
import { openMachines } from "../src/participant/machines.ts";
import { observeMachine } from "../src/participant/observe.ts";
import { openSessions } from "../src/participant/sessions.ts";
import { openBuilds } from "../src/participant/update/builds.ts";
import type { VolumeDeps } from "../src/participant/volumes/deps.ts";
import { instanceVolumes, volumeHandlers } from "../src/participant/volumes/open.ts";
import { openSender } from "../src/participant/volumes/send.ts";
import { openStorage, type Storage } from "../src/participant/volumes/storage.ts";
import { openFences } from "../src/state/fences.ts";
import { serialiseByKey } from "../src/state/files.ts";
import { openInstanceFiles } from "../src/state/instance-files.ts";
import { openReservations } from "../src/state/reservations.ts";
import { openInstanceSecrets } from "../src/state/secrets.ts";
import { openStopped } from "../src/state/stopped.ts";
import { openBundles } from "../src/transfer/bundles.ts";
import { fetchOffer, serveTransfers } from "../src/transfer/server.ts";

const MIB = 2 ** 20;
const noStore = async () => Promise.reject(new Error("no store here"));

export const PORT = 4319;

/** zfs-fuse with one pool, on which each simulated machine has a root of its own. */
export interface Zpool {
  readonly zfs: Zfs;
  readonly services: ServiceHost;
  close(): Promise<void>;
}

export async function openPool(name: string, sizeBytes = 512 * MIB): Promise<Zpool> {
  const services = await openServiceHost({ kind: "s6", dir: "/run/services", logDir: "/mnt/log" });
  await ensureZfsFuse({ services });
  const zfs = await openZfs();
  await zfs.createFilePool({ name, file: `/mnt/${name}.img`, sizeBytes });
  return { zfs, services, close: () => stopS6("/run/services") };
}

/** A machine's commands as its daemon serves them, over a real pool and host processes. */
export interface VolumeMachine {
  readonly id: string;
  readonly root: string;
  readonly dir: string;
  readonly storage: Storage;
  readonly runtime: Runtime;
  readonly volumes: VolumeDeps;
  readonly handlers: Handlers;
  /** Another daemon on the same machine, without the last one's memory. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface Pair {
  readonly a: VolumeMachine;
  readonly b: VolumeMachine;
  readonly machines: Machines;
  close(): Promise<void>;
}

let pairs = 0;

/** Two machines that reach each other on loopback addresses. */
export async function openPair(zpool: Zpool, pool: string): Promise<Pair> {
  const number = ++pairs;
  const opened = new Map<string, Awaited<ReturnType<typeof openMachine>>>();
  const addressOf = (id: string) => (id === "m1" ? "127.0.1.1" : id === "m2" ? "127.0.1.2" : undefined);
  const machines: Machines = {
    call: (machine, ...rest) => {
      const found = opened.get(machine);
      if (found === undefined) throw new Error(`there is no machine ${machine}`);
      return found.call(machine, ...rest);
    },
  };
  for (const [index, id] of ["m1", "m2"].entries()) {
    const root = `${pool}/p${number}${id}`;
    const subnet = `10.101.${2 * (number % 100) + index}`;
    opened.set(id, await openMachine({ id, root, subnet, zpool, machines, addressOf }));
  }
  const [a, b] = [opened.get("m1"), opened.get("m2")];
  if (a === undefined || b === undefined) throw new Error("unreachable");
  return {
    ...{ a, b, machines },
    async close() {
      for (const machine of [a, b]) await machine.close();
    },
  };
}

async function openMachine(options: {
  readonly id: string;
  readonly root: string;
  readonly subnet: string;
  readonly zpool: Zpool;
  readonly machines: Machines;
  addressOf(id: string): string | undefined;
}): Promise<VolumeMachine & Machines> {
  const { id, root, subnet, zpool, machines, addressOf } = options;
  const dir = await mkdtemp(join(tmpdir(), "ployzd-volumes-"));
  const tag = `${root.split("/").at(-1)}`;
  const network: NetworkSpec = {
    ...{ bridge: `b${tag}`, subnet: `${subnet}.0/24`, gateway: `${subnet}.1` },
    ...{ clusterCidr: "10.101.0.0/16", mtu: 1420 },
  };
  const runtime = await openProcessRuntime({
    ...{ root: join(dir, "instances"), runDir: `/run/${tag}`, logDir: join(dir, "log") },
    ...{ cgroupParent: `ployz-test-${process.pid}-${tag}`, controlPorts: [PORT], hidden: [dir] },
  });
  await runtime.ensureNetwork(network);
  const mounts = join(dir, "volumes");
  await mkdir(mounts);

  async function daemon() {
    const storage = openStorage({
      ...{ root, services: zpool.services, mounts, pools: join(dir, "pools") },
      log: () => {},
    });
    await storage.ready();
    const volumes: VolumeDeps = {
      ...{ self: id, storage, runtime, retention: { last: 2, days: 7 } },
      inTurn: serialiseByKey(),
      now: () => Date.now(),
      log: () => {},
    };
    const sender = openSender(volumes);
    await sender.tidy();
    const bundles = openBundles(join(dir, "bundles"));
    const address = addressOf(id) ?? "";
    const transfers = await serveTransfers({
      ...{ address, port: PORT, peers: () => {} },
      addressOf: () => "127.0.0.1", // where every connection over loopback comes from
      log: () => {},
    });
    const world = {
      ...{ runtime, bundles, address: `${subnet}.1` },
      sessions: openSessions({ runtime, pause: join(dir, "pause"), log: () => {} }),
      reservations: await openReservations(join(dir, "reservations.json"), {
        first: `${subnet}.2`,
        last: `${subnet}.250`,
      }),
      stopped: await openStopped(join(dir, "stopped.json")),
      files: openInstanceFiles(join(dir, "instance-files")),
      secrets: openInstanceSecrets(join(dir, "secrets")),
      async readSecrets(refs: readonly SecretRef[]) {
        if (refs.some(({ version }) => version !== "1"))
          throw new PloyzError({ code: "secret_changed", message: "it was set again" });
        return refs.map(({ name }) => `value of ${name}`);
      },
      volumes: instanceVolumes(volumes, mounts),
      endedLogs: openEndedLogs(join(dir, "job-logs"), runtime, { days: 1, bytes: 1e9 }, () => Date.now()),
      log: () => {},
    };
    const handlers = {
      "machine.observe": (args) =>
        observeMachine(
          {
            ...{
              runtime,
              self: id,
              version: "0",
              build: "b",
              draining: false,
              notStarted: [],
              logProblems: [],
              hangs: { of: () => undefined },
              storage,
              overcommitRatio: 1,
            },
            ...{
              keptPorts: {},
              refuses: [],
              allowed: { capabilities: [] },
              gatewayAddress: "127.0.0.1",
              mtu: 1420,
            },
            overlayAddress: "10.101.1.1",
            gatewaySocket: join(dir, "gateway.sock"),
          },
          args,
        ),
      ...contentHandlers({
        ...{ runtime, bundles, transfers, machines, self: id },
        fetch: (machine, token, signal) => fetchOffer(addressOf(machine) ?? "", PORT, token, signal),
        ...{ store: openImageStore(join(dir, "images")), unpacked: undefined, log: () => {} },
        ...{ brought: openBrought(join(dir, "engine-images.json")), wanted: openWanted() },
        cleaning: { "image.usage": noStore, "image.prune": noStore, "image.remove": noStore },
        registry: async () => Promise.reject(new Error("no registry here")),
        builds: openBuilds({ dir, build: "b", tarball: join(dir, "payload.tar.gz") }),
        volumes: sender,
      }),
      ...instanceHandlers(world),
      ...volumeHandlers({
        ...volumes,
        machines,
        fetch: (machine, token, signal) => fetchOffer(addressOf(machine) ?? "", PORT, token, signal),
      }),
    } satisfies Partial<Handlers> as unknown as Handlers;
    const fences = await openFences(join(dir, "fences.json"), async () => ({
      generation: 9,
      revision: 1_000_000,
    }));
    const local = openMachines(undefined as never, {
      self: id,
      local: () => (command, args, fence, context) => handle(handlers, fences, command, args, fence, context),
      versionOf: () => undefined,
    });
    return { storage, volumes, handlers, transfers, local };
  }

  let running = await daemon();
  return {
    ...{ id, root, dir, runtime },
    get storage() {
      return running.storage;
    },
    get volumes() {
      return running.volumes;
    },
    get handlers() {
      return running.handlers;
    },
    call: (...args) => running.local.call(...args),
    async restart() {
      await running.transfers.close();
      running = await daemon();
    },
    async close() {
      for (const { id: instance } of await runtime.list()) await runtime.remove(instance);
      await running.transfers.close();
      await runtime.removeNetwork(network);
      await zpool.zfs.destroyDataset(root, { recursive: true });
      await rm(dir, { recursive: true, force: true });
    },
  };
}
