import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { isObject } from "../json.ts";
import type { Routes, StoreServerConfig } from "./config.ts";
import type { Access } from "./permissions.ts";

/** `retired`: another generation took over. Permanent. */
export type GenerationState = Access | "retired";

/** One generation of the store on this machine's disk. */
export interface GenerationRecord {
  readonly generation: number;
  readonly state: GenerationState;
  /** The re-founding that founded it; absent for the store of `mesh init`. */
  readonly id?: string;
  /** The re-founding that fenced or retired it. */
  readonly fence?: string;
  /** Re-foundings that lost its fence: their delayed messages do not regain it. */
  readonly released?: readonly string[];
  readonly listen?: StoreServerConfig["listen"];
  readonly monitorPort?: number;
  readonly routes?: Routes;
  /** The key that encrypts secrets (`newSealKey`). The same on every machine of the set; absent in records from before secrets existed. */
  readonly sealKey?: string;
}

/** The store in a directory, recorded on disk beside it. The record decides what its servers may do, whichever process starts them. */
export interface StoreRecord {
  readonly cluster: string;
  readonly server: string;
  /** The newest generation that has served here. */
  readonly generation: number;
  /** Oldest first. */
  readonly generations: readonly GenerationRecord[];
}

export const recordFile = (dir: string) => `${dir}/store.json`;

/** The record of a folder; `undefined`: it never held a store. @throws PloyzError `store_record_invalid`. */
export async function readRecord(dir: string): Promise<StoreRecord | undefined> {
  const path = recordFile(dir);
  const text = await readFileIfThere(path);
  if (text === undefined) return undefined;
  let value: Partial<StoreRecord> | null = null;
  try {
    value = JSON.parse(text) as Partial<StoreRecord> | null;
  } catch {
    // Reported below, with the file's name.
  }
  if (!isObject(value) || typeof value.cluster !== "string" || typeof value.generation !== "number") {
    throw new PloyzError({
      code: "store_record_invalid",
      message: `cannot read ${path}`,
      hint: "restore it from a backup; without it Ployz cannot identify the store in this directory",
    });
  }
  return {
    cluster: value.cluster,
    server: typeof value.server === "string" ? value.server : "",
    generation: value.generation,
    // Before re-foundings existed, the record named the single serving generation.
    generations: Array.isArray(value.generations)
      ? value.generations
      : [{ generation: value.generation, state: "serving" }],
  };
}

/** A generation's entry of the record. */
export const entryOf = (record: StoreRecord | undefined, generation: number) =>
  record?.generations.find((entry) => entry.generation === generation);

/** Replaces (or, with `undefined`, removes) one generation in the record. */
export async function writeEntry(
  config: Pick<StoreServerConfig, "dir" | "cluster" | "machine" | "generation">,
  found: StoreRecord | undefined,
  entry: GenerationRecord | undefined,
): Promise<StoreRecord> {
  const others = (found?.generations ?? []).filter(({ generation }) => generation !== config.generation);
  const generations = [...others, ...(entry ? [entry] : [])].sort((a, b) => a.generation - b.generation);
  const served = generations.filter(({ state }) => state !== "founding").at(-1)?.generation ?? 0;
  const record: StoreRecord = {
    cluster: config.cluster,
    server: config.machine,
    generation: Math.max(served, found?.generation ?? 0),
    generations,
  };
  if (JSON.stringify(record) !== JSON.stringify(found)) {
    await writeFileAtomic(recordFile(config.dir), `${JSON.stringify({ v: 2, ...record }, null, 2)}\n`);
  }
  return record;
}

/** @throws PloyzError `store_cluster_mismatch`. */
export function checkCluster(dir: string, found: StoreRecord | undefined, cluster: string): void {
  if (!found || found.cluster === cluster) return;
  throw new PloyzError({
    code: "store_cluster_mismatch",
    message: `${dir} holds the store of cluster ${found.cluster}, not of ${cluster}`,
    hint: "use another data directory, or rename this one",
  });
}

/**
 * Reads the state of the generation to run from the record. Only generation 1 (`mesh init`) starts empty: an empty server in place of one
 * with a lost disk would accept writes.
 * @throws PloyzError `store_cluster_mismatch`, `store_generation_older`, `store_generation_retired`,
 *   `store_generation_unknown`: nothing was written.
 */
export function entryToRun(
  config: Pick<StoreServerConfig, "dir" | "cluster" | "generation">,
  found: StoreRecord | undefined,
): GenerationRecord {
  const { dir, generation } = config;
  checkCluster(dir, found, config.cluster);
  const entry = entryOf(found, generation);
  if (entry?.state === "retired") throw retired(dir, generation);
  if (entry) return entry;
  if (generation === 1 && (found?.generations ?? []).length === 0) return { generation, state: "serving" };
  if ((found?.generation ?? 0) > generation) {
    throw new PloyzError({
      code: "store_generation_older",
      message: `${dir} holds generation ${found?.generation} of the store; generation ${generation} is older`,
      hint: "restart ployzd on this machine: its state is outdated, and after the restart it follows the newer generation",
    });
  }
  throw new PloyzError({
    code: "store_generation_unknown",
    message: `${dir} does not hold generation ${generation} of the store`,
    hint: "found a new generation from its predecessor; Ployz never starts an empty one in its place",
  });
}

export const retired = (dir: string, generation: number) =>
  new PloyzError({
    code: "store_generation_retired",
    message: `generation ${generation} of the store in ${dir} is retired: a newer one took over`,
    hint: "restart ployzd on this machine: its state is outdated, and after the restart it follows the newer generation",
  });
