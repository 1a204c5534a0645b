import type { PloyzError } from "../error-codes.ts";
import { storeFull } from "../errors.ts";
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
import { roomOf } from "../server/room.ts";

/** One server of a set, and its ports. */
export interface StoreServer {
  readonly machine: string;
  /** Overlay address. */
  readonly host: string;
  /** For clients. Must differ from the previous generation's port if both run on one machine, like the two below. */
  readonly port: number;
  readonly routePort: number;
  readonly monitorPort: number;
}

/** The servers of one founding: one (standalone), three or five. */
export interface StoreSet {
  readonly generation: number;
  /** Id of this re-founding. New for each start; reused only to finish a decided one (`surveyStore`). */
  readonly id: string;
  readonly servers: readonly StoreServer[];
  /** Random. Known only to the machines of the set. */
  readonly routeSecret: string;
  /** The key that encrypts secrets: that of the previous generation, so that they stay readable. */
  readonly sealKey?: string;
}

/** The calls of a re-founding to one machine. Every call may be repeated. */
export interface StoreMachine {
  /** The machine's record of its generations; `undefined` when it never held the store. */
  record(): Promise<StoreRecord | undefined>;
  /** Stops its server from accepting writes, for the re-founding `id`. */
  fence(generation: number, id: string): Promise<void>;
  /** Ends that fence: the generation accepts writes again. */
  unfence(generation: number, id: string): Promise<void>;
  /** Ends the generation on this machine for ever: a majority of these decides a re-founding. */
  retire(generation: number, id: string): Promise<void>;
  /** Starts an empty server of the new set, which accepts a restore only. */
  found(set: StoreSet): Promise<void>;
  /** Lets the new generation accept writes. */
  serve(generation: number, id: string): Promise<void>;
  /** Abandons the machine's part of a founding. */
  drop(generation: number, id: string): Promise<void>;
  /** Stops the server of a retired generation, also after a reboot; keeps its data. */
  stop(generation: number): Promise<void>;
}

/** This machine's part of a store. */
export interface LocalStore extends EnsureOptions {
  readonly cluster: string;
  readonly machine: string;
  readonly dir: string;
  /** Listen address of a generation whose record has none (written before re-foundings existed). */
  readonly first: Pick<StoreServerConfig, "listen" | "monitorPort">;
  /** All members; these machines get store authority. */
  users(stores: readonly string[]): Promise<readonly StoreUser[]>;
}

/** Calls that only the machine itself makes to its store. */
export interface LocalStoreMachine extends StoreMachine {
  /**
   * Starts the servers of this machine with the present users: each generation in its record, except retired ones and those older than
   * `newest`, the newest generation known to be open: those retire. `found`: creates the first generation if there is no record.
   */
  start(newest: number, found: boolean): Promise<readonly EnsureResult[]>;
  /** The key that encrypts secrets in this machine's generation, if it has one. */
  sealKey(): Promise<string | undefined>;
  /**
   * Starts a server again that a full disk keeps from writing, once there is room: it does not recover by itself. Undefined: the disk is no
   * problem.
   */
  makeRoom(): Promise<{ readonly restarted: boolean; readonly error: PloyzError } | undefined>;
  /** Removes every server from this machine; keeps data and record. */
  remove(): Promise<void>;
}

/** Opens this machine's part in re-foundings. */
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
      if (!own) throw new Error(`${machine} is not a member of the set to found`);
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
    async makeRoom() {
      for (const { generation, state, monitorPort } of (await readRecord(dir))?.generations ?? []) {
        if (state === "retired") continue;
        const room = await roomOf(monitorPort ?? local.first.monitorPort, dir);
        if (room?.full !== true) continue;
        if (room.enough) await local.host.restart(serviceOf(generation));
        return { restarted: room.enough, error: storeFull(dir, room) };
      }
      return undefined;
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
