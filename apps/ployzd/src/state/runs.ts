import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJson } from "./files.ts";

/** One-off instances of this machine. No commit knows them. */
export interface RunRecord {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly address: string;
  /** Its program belongs to a connection, and ends with it. */
  readonly interactive: boolean;
  /** Absent: the service's own command, or the caller keeps it out of records. */
  readonly argv?: readonly string[];
  readonly by: string;
  /** It stays after its end, until it is removed by its id. */
  readonly keep?: true;
  /** RFC 3339. */
  readonly at: string;
}

/** All records of the folder; none when it is not there. */
export async function readRuns(dir: string): Promise<readonly RunRecord[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map((name) => readJson<RunRecord>(join(dir, name))),
  );
  return found.filter((record) => record !== undefined).sort((a, b) => (a.at < b.at ? -1 : 1));
}

export async function writeRun(dir: string, record: RunRecord): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeJson(join(dir, `${record.id}.json`), record);
}

export const removeRun = (dir: string, id: string): Promise<void> =>
  rm(join(dir, `${id}.json`), { force: true });
