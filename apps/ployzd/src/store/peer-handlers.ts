import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type ServiceHost, waitFor } from "@ployz/exec";
import {
  dropGeneration,
  entryOf,
  files,
  findServer,
  foundFromMirror,
  type LocalStoreMachine,
  monitor,
  openStore,
  readBackup,
  restoreStore,
  type StoreRecord,
  serviceOf,
  snapshotStore,
  writeBackup,
} from "@ployz/nats-store";
import type { MachineRecord } from "@ployz/primitives/protocol";
import { storePorts } from "../config/store-ports.ts";
import { PloyzError } from "../error-codes.ts";
import { needPorts } from "../host/listeners.ts";
import type { MembershipFollower } from "../mesh/follow.ts";
import type { Parcel, PeerCommand, StorePlace } from "../peers/commands.ts";
import type { PeerHandlers } from "../peers/serve.ts";
import type { Records } from "../state/records.ts";
import { fetchFrom, type TransferServer } from "../transfer/server.ts";
import { placeFacts } from "./facts.ts";

type StoreCommand = Extract<PeerCommand, `store.${string}`>;

export interface PartOptions {
  readonly self: MachineRecord;
  readonly cluster: string;
  readonly nkeySeed: string;
  readonly dir: string;
  readonly mirrorDir: string;
  readonly natsServer: string;
  readonly storePort: number;
  readonly transferPort: number;
  readonly retentionDays: number;
  readonly services: ServiceHost;
  readonly local: LocalStoreMachine;
  readonly mirror: Pick<Records, "applied" | "flushed">;
  readonly membership: MembershipFollower;
  readonly transfers: TransferServer;
  coordinating(): string | undefined;
  /** Whether this daemon is connected to a server of that generation or a newer one. */
  connectedTo(generation: number): boolean;
}

/**
 * Handlers of other daemons' calls about this machine's part in the store. Not commands over the store: those would pass through the
 * servers that are fenced, restarted and replaced here.
 */
export function storePart(options: PartOptions): Pick<PeerHandlers, StoreCommand> {
  const { self, cluster, dir, local, natsServer } = options;
  const parcels = join(dir, "parcels");

  const session = (servers: readonly string[], generation?: number) =>
    openStore({
      ...{ servers, cluster, machine: self.id, nkeySeed: options.nkeySeed },
      ...(generation !== undefined && { generation }),
    });

  /** One at a time, and only briefly: it may hold secrets. */
  async function parcel<T>(name: string, make: (file: string) => Promise<T>, to: string) {
    await mkdir(parcels, { recursive: true, mode: 0o700 });
    const file = join(parcels, `${name}.ployz`);
    await make(file);
    return {
      machine: self.id,
      token: options.transfers.offerFile(to, file),
      sha256: createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    };
  }

  /** Addresses of a generation that this machine is part of. */
  async function placeOf(generation: number): Promise<StorePlace> {
    const { listen, routes } = entryOf(await local.record(), generation) ?? {};
    const port = listen?.port ?? storePorts(options.storePort, generation).client;
    const hosts = routes?.servers.map(({ host }) => host) ?? [listen?.host ?? self.address];
    return { generation, servers: hosts.map((host) => `${host}:${port}`) };
  }

  return {
    "store.look": async () => {
      const record = (await local.record()) ?? null;
      const newest = record?.generations.findLast(({ state }) => state !== "retired");
      const fallback = storePorts(options.storePort, newest?.generation ?? 1).monitor;
      const running = newest && (await monitor(newest.monitorPort ?? fallback));
      return {
        record: record && withoutSecrets(record),
        coordinating: options.coordinating() ?? null,
        view: { generation: options.membership.known().cluster.generation, ...options.mirror.applied() },
        server: running ? { healthy: running.healthy, version: running.version } : null,
        closesSecrets: true,
      };
    },
    "store.ready": async ({ generation }) => ({ problems: await problems(options, generation) }),
    "store.record": async () => {
      const record = await local.record();
      return record === undefined ? null : withoutSecrets(record);
    },
    "store.fence": ({ generation, id }) => local.fence(generation, id),
    "store.unfence": ({ generation, id }) => local.unfence(generation, id),
    "store.retire": ({ generation, id }) => local.retire(generation, id),
    "store.found": async (set) => {
      // The generation before the previous one used the same ports.
      for (const { generation, state } of (await local.record())?.generations ?? [])
        if (state === "retired" && generation < set.generation) await local.stop(generation);
      await local.found(set);
    },
    // Encrypted secrets must stay readable in the next generation.
    "store.seal-key": async () => (await local.sealKey()) ?? null,
    // From here on this machine knows it, whatever happens to the coordinator: it answers members that ask.
    "store.serve": async ({ generation, id }) => {
      await local.serve(generation, id);
      options.membership.moved(await placeOf(generation));
    },
    "store.drop": ({ generation, id }) => local.drop(generation, id),
    "store.stop": async ({ generation }) => {
      await local.stop(generation);
      await rm(parcels, { recursive: true, force: true });
      await dropOld(options);
    },
    "store.moved": async (place) => {
      options.membership.moved(place);
      // Until then no command reaches this machine. A slower machine is notified anyway.
      const there = async () => (options.connectedTo(place.generation) ? true : undefined);
      await waitFor("the new store", there, { timeoutMs: CONNECT_MS, intervalMs: 50 }).catch(() => {});
    },
    "store.where": async () => {
      const { cluster: now, storeServers } = options.membership.known();
      return { generation: now.generation, servers: storeServers };
    },
    "store.copy": async ({ generation, to }) => {
      const entry = entryOf(await local.record(), generation);
      if (entry?.state !== "fenced")
        throw new PloyzError({
          code: "store_not_fenced",
          message: `generation ${generation} of the store on ${self.id} is ${entry?.state ?? "not there"}`,
          hint: "run the command again",
        });
      const { listen } = entry;
      const port = listen?.port ?? storePorts(options.storePort, generation).client;
      const store = session([`${listen?.host ?? self.address}:${port}`]);
      try {
        const createdAt = new Date().toISOString();
        const make = (file: string) =>
          writeBackup(file, snapshotStore(store.session, { createdAt, fenced: true }));
        return await parcel(`generation-${generation}`, make, to);
      } finally {
        await store.close();
      }
    },
    "store.mirror": async ({ generation, to }) => {
      await options.mirror.flushed();
      const from = { cluster, generation, createdAt: new Date().toISOString(), binary: natsServer };
      const make = (file: string) => foundFromMirror(options.mirrorDir, { ...from, file });
      return { parcel: await parcel(`mirror-${generation}`, make, to) };
    },
    "store.carry": async ({ set, parcel: sent, members }) => {
      await mkdir(parcels, { recursive: true, mode: 0o700 });
      const file = join(parcels, `for-${set.generation}.ployz`);
      await receive(options, sent, file);
      const target = session(
        set.servers.map(({ host, port }) => `${host}:${port}`),
        set.generation,
      );
      try {
        const { generation, servers } = set;
        await restoreStore(target.session, await readBackup(file), { replicas: servers.length, generation });
        await placeFacts(target.facts, {
          generation,
          stores: servers.map(({ machine }) => machine),
          members,
        });
      } finally {
        await target.close();
        await rm(file, { force: true });
      }
    },
  };
}

/** Reasons against a server of this generation on this machine. */
async function problems(options: PartOptions, generation: number): Promise<readonly string[]> {
  const found: string[] = [];
  const say = (error: unknown) => {
    const { message, hint } = error as { message: string; hint?: string };
    found.push(hint === undefined ? message : `${message} (${hint})`);
  };
  await findServer(options.natsServer).catch(say);
  // The remains of an earlier attempt may listen there; they are reused.
  const own = await options.services.list();
  const mine = (await options.local.record())?.generations ?? [];
  const same = mine
    .filter((entry) => (entry.generation - generation) % 2 === 0)
    .map(({ generation: one }) => one);
  if ([generation, ...same].some((one) => own.includes(serviceOf(one)))) return found;
  const { client, route, monitor: monitoring } = storePorts(options.storePort, generation);
  const { address } = options.self;
  await needPorts([
    { protocol: "tcp", address, port: client, what: "store", fix: "set store_port on every machine" },
    { protocol: "tcp", address, port: route, what: "store's routes", fix: "set store_port on every machine" },
    {
      protocol: "tcp",
      address: "127.0.0.1",
      port: monitoring,
      what: "store's monitor",
      fix: "configure it to listen elsewhere",
    },
  ]).catch(say);
  return found;
}

async function receive(
  options: PartOptions,
  { machine, token, sha256 }: Parcel,
  file: string,
): Promise<void> {
  const addressOf = (name: string) =>
    options.membership.known().machines.find(({ id }) => id === name)?.address;
  const fetch = fetchFrom(addressOf, options.transferPort);
  const source = await fetch(machine, token, AbortSignal.timeout(RECEIVE_MS));
  const hash = createHash("sha256");
  source.on("data", (chunk: Buffer) => hash.update(chunk));
  await pipeline(source, createWriteStream(file, { mode: 0o600 }));
  if (hash.digest("hex") !== sha256)
    throw new PloyzError({
      code: "transfer_failed",
      message: `the data received from ${machine} is damaged`,
      hint: "run the command again",
    });
}

const RECEIVE_MS = 600_000;
const CONNECT_MS = 10_000;

/** Retired generations are kept as long as retired volumes. */
async function dropOld({ self, cluster, dir, local, services, retentionDays }: PartOptions): Promise<void> {
  for (const { generation, state } of (await local.record())?.generations ?? []) {
    if (state !== "retired") continue;
    const written = await stat(files(dir, generation).config).catch(() => undefined);
    if (written === undefined || Date.now() - written.mtimeMs < retentionDays * 86_400_000) continue;
    await dropGeneration({ cluster, dir, generation, machine: self.id }, services);
  }
}

/** Only machines of the set may get the route password and the key of the secrets. */
function withoutSecrets(record: StoreRecord): StoreRecord {
  const generations = record.generations.map(({ sealKey: _key, ...entry }) =>
    entry.routes === undefined ? entry : { ...entry, routes: { ...entry.routes, secret: "" } },
  );
  return { ...record, generations };
}
