import { rm } from "node:fs/promises";
import { type ServiceHost, waitFor } from "@ployz/exec";
import { PloyzError, type StoreErrorCode } from "../error-codes.ts";
import { asToken } from "../names.ts";
import { files, type Routes, type StoreServerConfig } from "./config.ts";
import { type EnsureOptions, type EnsureResult, runAs, serviceOf } from "./ensure.ts";
import { exclusively } from "./lock.ts";
import { monitor } from "./monitor.ts";
import {
  checkCluster,
  entryOf,
  type GenerationRecord,
  readRecord,
  retired,
  type StoreRecord,
  writeEntry,
} from "./record.ts";

/**
 * One machine's steps of a re-founding. `id` names the re-founding. Each step may be repeated, is on disk before it is acknowledged, and
 * survives restarts of the server and the machine. A server grants its fence to one re-founding, and then either revokes it or retires:
 * once a majority of a set has retired, that set can never again accept a write.
 */
export function fenceServer(
  config: StoreServerConfig,
  id: string,
  options: EnsureOptions,
): Promise<EnsureResult> {
  return exclusively(config.dir, async () => {
    const entry = await present(config);
    if (entry.state === "founding")
      throw refused("store_not_serving", config, "does not serve", "found the store again");
    if (entry.released?.includes(id))
      throw refused(
        "store_fence_lost",
        config,
        "revoked the fence of this re-founding",
        "start a new re-founding",
      );
    // This replaces another re-founding's fence: that one can no longer retire this server.
    const released = entry.fence === undefined || entry.fence === id ? [] : [entry.fence];
    const wanted = {
      ...release(entry, released),
      state: "fenced",
      fence: asToken("re-founding", id),
    } as const;
    return runAs(config, wanted, options);
  });
}

/** Revokes the fence. @throws PloyzError `store_generation_retired`: too late. */
export function unfenceServer(
  config: StoreServerConfig,
  id: string,
  options: EnsureOptions,
): Promise<EnsureResult> {
  return exclusively(config.dir, async () => {
    const { fence, ...entry } = await present(config);
    if (entry.state === "fenced" && fence !== id)
      throw refused(
        "store_fence_lost",
        config,
        `is fenced by another re-founding (${fence})`,
        "finish that re-founding",
      );
    const open = entry.state === "fenced" ? ({ ...entry, state: "serving" } as const) : entry;
    return runAs(config, release(open, [id]), options);
  });
}

/**
 * Permanent: no server of this generation starts here again. The running one keeps refusing writes until it is stopped, so that members can
 * still learn the new servers.
 * @throws PloyzError `store_fence_lost`: the store may have accepted writes since this re-founding fenced it.
 */
export function retireServer(config: Place, id: string): Promise<void> {
  return withEntry(config, async (entry, found) => {
    if (entry?.state === "retired" && entry.fence === id) return;
    if (entry?.state === "retired") throw retired(config.dir, config.generation);
    if (entry?.state !== "fenced" || entry.fence !== id)
      throw refused(
        "store_fence_lost",
        config,
        "is not fenced by this re-founding",
        "start the re-founding again",
      );
    await writeEntry(config, found, { ...entry, state: "retired" });
  });
}

/**
 * Starts an empty server of a new generation that accepts only a restore. Wipes the remains of another re-founding; keeps the data of the
 * same one, which may have been restored meanwhile. Resolves when its set has a leader: found all machines of a set concurrently.
 */
export async function foundServer(
  config: StoreServerConfig,
  founding: { readonly id: string; readonly routes?: Routes; readonly sealKey?: string },
  options: EnsureOptions,
): Promise<EnsureResult> {
  const result = await exclusively(config.dir, async () => {
    const found = await readRecord(config.dir);
    checkCluster(config.dir, found, config.cluster);
    const entry = entryOf(found, config.generation);
    if ((entry && entry.state !== "founding") || (found?.generation ?? 0) >= config.generation) {
      throw refused(
        "store_generation_exists",
        config,
        "exists, or a newer one does",
        "found a higher generation",
      );
    }
    if (entry?.id === founding.id) return runAs(config, entry, options);
    await wipe(config, options.host);
    const { routes, sealKey } = founding;
    const id = asToken("founding", founding.id);
    const wanted = {
      generation: config.generation,
      state: "founding",
      id,
      ...(routes && { routes }),
      ...(sealKey !== undefined && { sealKey }),
    } as const;
    return runAs(config, wanted, options);
  });
  await waitFor(
    "the new store servers to find each other",
    async () => ((await monitor(config.monitorPort))?.healthy ? true : undefined),
    { timeoutMs: options.timeoutMs ?? foundingMs, intervalMs: 50 },
  ).catch((cause: unknown) => {
    const why = `has no leader after ${options.timeoutMs ?? foundingMs} ms`;
    throw refused("store_server_not_ready", config, why, "check that its machines reach each other", cause);
  });
  return result;
}

/** The first election of a new set takes up to ten seconds. */
const foundingMs = 40_000;

/**
 * Opens a founded generation for writes. Call only after a majority of the previous set has retired (or, in a recovery, is lost): the
 * caller guarantees that. Retires an older generation on this machine.
 */
export function serveGeneration(
  config: StoreServerConfig,
  id: string,
  options: EnsureOptions,
): Promise<EnsureResult> {
  return exclusively(config.dir, async () => {
    let found: StoreRecord | undefined = await readRecord(config.dir);
    const entry = await present(config);
    if (entry.id !== id || entry.state === "fenced")
      throw refused(
        "store_founding_lost",
        config,
        "was founded or fenced by another re-founding",
        "start again",
      );
    for (const older of found?.generations ?? []) {
      if (older.generation >= config.generation || older.state === "retired") continue;
      if (older.state === "serving")
        throw refused(
          "store_two_generations",
          config,
          `cannot open while ${older.generation} serves`,
          "fence it",
        );
      found = await writeEntry({ ...config, generation: older.generation }, found, {
        ...older,
        state: "retired",
      });
    }
    return runAs(config, { ...entry, state: "serving" }, options);
  });
}

/**
 * Retires this machine's generation, fenced or not, after a newer one opened while the machine was away, so that the machine can join a set
 * again. Stops its server.
 */
export function passGeneration(config: Place, host: ServiceHost): Promise<void> {
  return withEntry(config, async (entry, found) => {
    if (entry?.state === "serving" || entry?.state === "fenced")
      await writeEntry(config, found, { ...entry, state: "retired" });
    await host.remove(serviceOf(config.generation));
  });
}

/** Removes the server and the data of an abandoned founding, or of a retired generation after its retention. */
export function dropGeneration(config: Place, host: ServiceHost): Promise<void> {
  return withEntry(config, async (entry, found) => {
    if (!entry) return;
    if (entry.state !== "founding" && entry.state !== "retired")
      throw refused("store_in_use", config, `is ${entry.state}`, "nothing was removed");
    await wipe(config, host);
    // Keep the record that it was retired when its data goes.
    if (entry.state === "founding") await writeEntry(config, found, undefined);
  });
}

type Place = Pick<StoreServerConfig, "dir" | "cluster" | "machine" | "generation">;

/** Reads the generation's state in the machine's record, under the lock. */
const withEntry = <T>(
  config: Place,
  work: (entry: GenerationRecord | undefined, found: StoreRecord | undefined) => Promise<T>,
): Promise<T> =>
  exclusively(config.dir, async () => {
    const found = await readRecord(config.dir);
    return work(entryOf(found, config.generation), found);
  });

/** From now on only a new re-founding can fence it. */
function release(entry: GenerationRecord, ids: readonly string[]): GenerationRecord {
  if (ids.length === 0) return entry;
  return { ...entry, released: [...new Set([...(entry.released ?? []), ...ids])] };
}

async function wipe(config: Pick<StoreServerConfig, "dir" | "generation">, host: ServiceHost): Promise<void> {
  const at = files(config.dir, config.generation);
  await host.remove(serviceOf(config.generation));
  for (const path of [at.config, at.pid, at.jetstream]) await rm(path, { recursive: true, force: true });
}

async function present(config: StoreServerConfig): Promise<GenerationRecord> {
  const found = await readRecord(config.dir);
  checkCluster(config.dir, found, config.cluster);
  const entry = entryOf(found, config.generation);
  if (!entry)
    throw refused("store_generation_unknown", config, "is not on this machine", "nothing was changed");
  if (entry.state === "retired") throw retired(config.dir, config.generation);
  return entry;
}

const refused = (
  code: StoreErrorCode,
  config: Pick<StoreServerConfig, "machine" | "generation">,
  why: string,
  hint: string,
  cause?: unknown,
) =>
  new PloyzError(
    {
      code,
      message: `generation ${config.generation} of the store on ${config.machine} ${why}`,
      hint,
      details: { machine: config.machine, generation: config.generation },
    },
    cause === undefined ? undefined : { cause },
  );
