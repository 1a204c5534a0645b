import { PloyzError } from "@ployz/exec";
import { readFileIfThere, writeFileAtomic } from "../files.ts";
import { isObject, type Json } from "../json.ts";
import type { Routes, StoreServerConfig } from "./config.ts";
import type { Access } from "./permissions.ts";

/** `retired`: another generation took over. Nothing brings it back. */
export type GenerationState = Access | "retired";

/** One generation of the store as this machine has it on disk. */
export interface GenerationRecord {
  readonly generation: number;
  readonly state: GenerationState;
  /** The re-founding that founded it; absent for the store of `mesh init`. */
  readonly id?: string;
  /** The re-founding that fenced or retired it. */
  readonly fence?: string;
  /** Re-foundings that lost its fence: a message of theirs that was delayed does not get it back. */
  readonly released?: readonly string[];
  readonly listen?: StoreServerConfig["listen"];
  readonly monitorPort?: number;
  readonly routes?: Routes;
  /** What secrets are sealed with (`newSealKey`). The same on every machine of the set; absent: of before there were secrets. */
  readonly sealKey?: string;
}

/** Which store a directory holds, kept on disk beside it. It decides what its servers may do, whoever starts them. */
export interface StoreRecord {
  readonly cluster: string;
  readonly server: string;
  /** The newest that has ever served here. */
  readonly generation: number;
  /** Oldest first. */
  readonly generations: readonly GenerationRecord[];
}

export const recordFile = (dir: string) => `${dir}/store.json`;

export async function readRecord(dir: string): Promise<StoreRecord | undefined> {
  const path = recordFile(dir);
  const text = await readFileIfThere(path);
  if (text === undefined) return undefined;
  let value: Json = null;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // Reported below, with the file's name.
  }
  if (!isObject(value) || typeof value.cluster !== "string" || typeof value.generation !== "number") {
    throw new PloyzError({
      code: "store_record_invalid",
      message: `${path} cannot be read`,
      hint: "restore it from a backup; without it nobody can say which store this directory holds",
    });
  }
  return {
    cluster: value.cluster,
    server: typeof value.server === "string" ? value.server : "",
    generation: value.generation,
    // Before there were re-foundings the record named the one generation, and it served.
    generations: Array.isArray(value.generations)
      ? (value.generations as unknown as readonly GenerationRecord[])
      : [{ generation: value.generation, state: "serving" }],
  };
}

export const entryOf = (record: StoreRecord | undefined, generation: number) =>
  record?.generations.find((entry) => entry.generation === generation);

/** Replaces (or, with `undefined`, forgets) what the record says of one generation. */
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
    hint: "use another data directory, or move that one away",
  });
}

/**
 * What the record says of the generation that is to run. Only generation 1 (`mesh init`) starts from nothing: an empty server in
 * the place of one whose disk was lost would take writes.
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
      hint: "this machine has an outdated picture of the cluster: let it follow the newer generation",
    });
  }
  throw new PloyzError({
    code: "store_generation_unknown",
    message: `${dir} holds no generation ${generation} of the store`,
    hint: "a new generation is founded from the one before it; an empty one is never started over it",
  });
}

export const retired = (dir: string, generation: number) =>
  new PloyzError({
    code: "store_generation_retired",
    message: `generation ${generation} of the store in ${dir} is retired: a newer one took over`,
    hint: "this machine has an outdated picture of the cluster: let it follow the newer generation",
  });
