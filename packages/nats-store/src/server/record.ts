import { PloyzError } from "@ployz/exec";
import { readFileIfThere, writeFileAtomic } from "../files.ts";
import { isObject, type Json } from "../json.ts";
import { files } from "./config.ts";

/** Which store a directory holds, kept on disk beside it. A store of an older generation is never started over a newer one. */
export interface StoreRecord {
  readonly cluster: string;
  readonly generation: number;
  readonly server: string;
}

export async function readRecord(dir: string): Promise<StoreRecord | undefined> {
  const path = files(dir).record;
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
  const server = typeof value.server === "string" ? value.server : "";
  return { cluster: value.cluster, generation: value.generation, server };
}

/** @throws PloyzError `store_cluster_mismatch`, `store_generation_older`: nothing was written. */
export function checkRecord(dir: string, found: StoreRecord | undefined, wanted: StoreRecord): void {
  if (!found) return;
  if (found.cluster !== wanted.cluster) {
    throw new PloyzError({
      code: "store_cluster_mismatch",
      message: `${dir} holds the store of cluster ${found.cluster}, not of ${wanted.cluster}`,
      hint: "use another data directory, or move that one away",
    });
  }
  if (found.generation > wanted.generation) {
    throw new PloyzError({
      code: "store_generation_older",
      message: `${dir} holds generation ${found.generation} of the store; generation ${wanted.generation} is older`,
      hint: "this machine has an outdated picture of the cluster: let it follow the newer generation",
    });
  }
}

export const writeRecord = (dir: string, record: StoreRecord): Promise<void> =>
  writeFileAtomic(files(dir).record, `${JSON.stringify({ v: 1, ...record }, null, 2)}\n`);
