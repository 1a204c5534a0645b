import type { Routes, StoreServerConfig } from "../server/config.ts";
import { type EnsureOptions, type EnsureResult, ensureServer, serviceOf } from "../server/ensure.ts";
import {
  dropGeneration,
  fenceServer,
  foundServer,
  passGeneration,
  retireServer,
  serveGeneration,
  unfenceServer,
} from "../server/generations.ts";
import type { StoreUser } from "../server/permissions.ts";
import { entryOf, readRecord, type StoreRecord } from "../server/record.ts";

export interface StoreServer {
  readonly machine: string;
  /** Overlay address. */
  readonly host: string;
  /** For clients. Not the port of the generation before where both run on one machine; nor are the two below. */
  readonly port: number;
  readonly routePort: number;
  readonly monitorPort: number;
}

/** The servers of one founding: one (standalone), three or five. */
export interface StoreSet {
  readonly generation: number;
  /** Of this re-founding. A new one for each start; the same only to finish one that was decided (`surveyStore`). */
  readonly id: string;
  readonly servers: readonly StoreServer[];
  /** Random. Only the machines of the set may know it. */
  readonly routeSecret: string;
  /** What secrets are sealed with. That of the generation before, so that they can be read. */
  readonly sealKey?: string;
}

/** What a re-founding asks of one machine. Everything may be asked twice. */
export interface StoreMachine {
  record(): Promise<StoreRecord | undefined>;
  fence(generation: number, id: string): Promise<void>;
  unfence(generation: number, id: string): Promise<void>;
  retire(generation: number, id: string): Promise<void>;
  found(set: StoreSet): Promise<void>;
  serve(generation: number, id: string): Promise<void>;
  /** Gives up its part of a founding. */
  drop(generation: number, id: string): Promise<void>;
  /** Ends the server of a retired generation, also after a reboot; its data stays. */
  stop(generation: number): Promise<void>;
}

export interface LocalStore extends EnsureOptions {
  readonly cluster: string;
  readonly machine: string;
  readonly dir: string;
  /** Where the server of a generation listens whose record does not say it: one of before there were re-foundings. */
  readonly first: Pick<StoreServerConfig, "listen" | "monitorPort">;
  /** Every member, with store authority for these machines. */
  users(stores: readonly string[]): Promise<readonly StoreUser[]>;
}

/** What only the machine itself asks of its store. */
export interface LocalStoreMachine extends StoreMachine {
  /**
   * Lets run what is to run here, with the present users: each generation that its record holds, except those that have retired or
   * are older than `newest`, the newest one that this machine has heard was opened: those retire. `found`: the first generation, where there is no record.
   */
  start(newest: number, found: boolean): Promise<readonly EnsureResult[]>;
  /** What secrets are sealed with in the generation that this machine holds, if it holds one. */
  sealKey(): Promise<string | undefined>;
  /** Takes every server off this machine; data and record stay. */
  remove(): Promise<void>;
}

/** This machine's part in re-foundings. */
export function openStoreMachine(local: LocalStore): LocalStoreMachine {
  const { cluster, machine, dir } = local;
  const place = (generation: number) => ({ cluster, machine, dir, generation });

  const known = async (generation: number): Promise<StoreServerConfig> => {
    const entry = entryOf(await readRecord(dir), generation);
    return {
      ...place(generation),
      listen: entry?.listen ?? local.first.listen,
      monitorPort: entry?.monitorPort ?? local.first.monitorPort,
      users: await local.users(entry?.routes?.servers.map((server) => server.machine) ?? [machine]),
    };
  };

  return {
    record: () => readRecord(dir),
    async fence(generation, id) {
      await fenceServer(await known(generation), id, local);
    },
    async unfence(generation, id) {
      await unfenceServer(await known(generation), id, local);
    },
    retire: (generation, id) => retireServer(place(generation), id),
    async found(set) {
      const own = set.servers.find((server) => server.machine === machine);
      if (!own) throw new Error(`${machine} is not in the set that it should found`);
      const config: StoreServerConfig = {
        ...place(set.generation),
        listen: { host: own.host, port: own.port },
        monitorPort: own.monitorPort,
        users: await local.users(set.servers.map((server) => server.machine)),
      };
      const { id, sealKey } = set;
      await foundServer(config, { id, ...routesOf(set), ...(sealKey !== undefined && { sealKey }) }, local);
    },
    async serve(generation, id) {
      await serveGeneration(await known(generation), id, local);
    },
    async drop(generation, id) {
      const entry = entryOf(await readRecord(dir), generation);
      if (entry?.state === "founding" && entry.id === id) await dropGeneration(place(generation), local.host);
    },
    async stop(generation) {
      const entry = entryOf(await readRecord(dir), generation);
      if (entry?.state === "retired") await local.host.remove(serviceOf(generation));
    },
    async start(newest, found) {
      const record = await readRecord(dir);
      if (record === undefined) return found ? [await ensureServer(await known(1), local)] : [];
      const results: EnsureResult[] = [];
      for (const { generation, state } of record.generations) {
        if (state === "retired") await local.host.remove(serviceOf(generation));
        else if (generation < newest) await passGeneration(place(generation), local.host);
        else results.push(await ensureServer(await known(generation), local));
      }
      return results;
    },
    async sealKey() {
      const held = (await readRecord(dir))?.generations ?? [];
      return held.findLast(({ state }) => state === "serving" || state === "fenced")?.sealKey;
    },
    async remove() {
      const generations = (await readRecord(dir))?.generations ?? [];
      for (const generation of new Set([1, ...generations.map((entry) => entry.generation)]))
        await local.host.remove(serviceOf(generation));
    },
  };
}

function routesOf(set: StoreSet): { readonly routes?: Routes } {
  if (set.servers.length === 1) return {};
  const servers = set.servers.map(({ machine, host, routePort }) => ({ machine, host, port: routePort }));
  return { routes: { id: set.id, secret: set.routeSecret, servers } };
}
