import { mkdir, open, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, isAbsolute } from "node:path";
import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import type { ZfsCapabilities } from "./capabilities.ts";
import { getDataset } from "./datasets.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import { checkPoolName } from "./names.ts";
import { type PoolHealth, type PoolRow, parsePoolDevices, parsePoolList } from "./parse.ts";

/** A pool on one sparse file. */
export interface FilePoolOptions extends CallOptions {
  readonly name: string;
  /** Absolute path of the sparse file that holds the pool. */
  readonly file: string;
  /** At least 64 MiB, the minimum of ZFS. The file is sparse: it grows with the data. */
  readonly sizeBytes: number;
}

/** Health and space of a pool. Sizes are bytes. */
export interface PoolStatus {
  readonly name: string;
  readonly guid: string;
  readonly health: PoolHealth;
  /** Capacity of all datasets together; exact. (`zpool list` counts parity and rounds on zfs-fuse.) */
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  /** Paths of its devices or files. */
  readonly devices: readonly string[];
}

const MIN_SIZE = 64 * 1024 * 1024;

/** Every pool that is imported. */
export async function listPools(
  capabilities: ZfsCapabilities,
  options: CallOptions = {},
): Promise<readonly PoolRow[]> {
  const { stdout } = await call(argv.poolList(capabilities.features.has("list_parsable")), options);
  return parsePoolList(stdout);
}

/** @throws PloyzError `pool_missing`. */
export async function poolStatus(
  capabilities: ZfsCapabilities,
  name: string,
  options: CallOptions = {},
): Promise<PoolStatus> {
  const parsable = capabilities.features.has("list_parsable");
  const [list, status] = await Promise.all([
    call(argv.poolList(parsable, name), options),
    call(argv.poolStatus(name), options),
  ]);
  const [row] = parsePoolList(list.stdout);
  if (row === undefined) throw new Error(`zpool list printed nothing for ${name}`);
  const root = await getDataset(name, options);
  const freeBytes = root.availableBytes ?? 0;
  return {
    name,
    guid: row.guid,
    health: row.health,
    sizeBytes: root.usedBytes + freeBytes,
    usedBytes: root.usedBytes,
    freeBytes,
    devices: parsePoolDevices(status.stdout),
  };
}

/**
 * Creates a pool on a sparse file, imports it from the file (after a reboot), or finds it imported. A file with other content is never
 * overwritten.
 * @throws PloyzError `pool_exists` (on other devices), `file_in_use`, `pool_options_invalid`, `no_space`, …
 */
export async function createFilePool(
  capabilities: ZfsCapabilities,
  { name, file, sizeBytes, ...options }: FilePoolOptions,
): Promise<"created" | "imported" | "unchanged"> {
  checkFilePool(name, file, sizeBytes);
  const present = await findPool(capabilities, name, options);
  if (present !== undefined) {
    if (present.devices.includes(file)) return "unchanged";
    throw new PloyzError({
      code: "pool_exists",
      message: `the pool ${name} already exists on ${present.devices.join(", ")}`,
      hint: "choose another name, or use that pool: storage.zfs_root",
    });
  }
  await mkdir(dirname(file), { recursive: true });
  const made = await makeSparse(file, sizeBytes);
  if (!made && (await hasContent(file))) {
    try {
      return await importPool(capabilities, name, dirname(file), options);
    } catch (error) {
      if (!hasCode(error, "pool_missing")) throw error;
      throw new PloyzError(
        {
          code: "file_in_use",
          message: `${file} exists and is not the pool ${name}`,
          hint: "move the file or choose another one; Ployz did not change it",
        },
        { cause: error },
      );
    }
  }
  try {
    await call(argv.poolCreate(name, file), options);
    return "created";
  } catch (error) {
    if (made) await rm(file, { force: true });
    throw error;
  }
}

/** @throws PloyzError `pool_missing` when no device in `dir` holds it, `pool_in_use` by another host, `pool_faulted`. */
export async function importPool(
  capabilities: ZfsCapabilities,
  name: string,
  dir: string,
  options: CallOptions = {},
): Promise<"imported" | "unchanged"> {
  if ((await findPool(capabilities, name, options)) !== undefined) return "unchanged";
  try {
    await call(argv.poolImport(name, dir, false), options);
  } catch (error) {
    // After a power cut zfs-fuse takes its own pool for another machine's: only the host name identifies it.
    if (!hasCode(error, "pool_in_use") || lastHost(error) !== hostname()) throw error;
    await call(argv.poolImport(name, dir, true), options);
  }
  return "imported";
}

function lastHost(error: PloyzError): string | undefined {
  const stderr = error.details?.stderr;
  return typeof stderr === "string" ? /last accessed by (\S+) \(hostid/i.exec(stderr)?.[1] : undefined;
}

/** Unmounts and exports the pool; its devices keep the data. @throws PloyzError `dataset_busy`. */
export async function exportPool(name: string, options: CallOptions = {}): Promise<"exported" | "absent"> {
  return goneOr("exported", () => retryBusy(() => call(argv.poolExport(name), options), options));
}

/** Destroys the pool with everything in it, if it has that guid. @throws PloyzError `guid_mismatch`, `dataset_busy`. */
export async function destroyPool(
  capabilities: ZfsCapabilities,
  name: string,
  options: CallOptions & { readonly guid: string },
): Promise<"destroyed" | "absent"> {
  const present = await findPool(capabilities, name, options);
  if (present === undefined) return "absent";
  if (present.guid !== options.guid) {
    throw new PloyzError({
      code: "guid_mismatch",
      message: `the pool ${name} is not the expected one: its guid is ${present.guid}, not ${options.guid}`,
    });
  }
  return goneOr("destroyed", () => retryBusy(() => call(argv.poolDestroy(name), options), options));
}

async function findPool(
  capabilities: ZfsCapabilities,
  name: string,
  options: CallOptions,
): Promise<PoolStatus | undefined> {
  try {
    return await poolStatus(capabilities, name, options);
  } catch (error) {
    if (hasCode(error, "pool_missing")) return undefined;
    throw error;
  }
}

async function goneOr<T extends string>(outcome: T, work: () => Promise<unknown>): Promise<T | "absent"> {
  try {
    await work();
    return outcome;
  } catch (error) {
    if (hasCode(error, "pool_missing")) return "absent";
    throw error;
  }
}

function checkFilePool(name: string, file: string, sizeBytes: number): void {
  checkPoolName(name);
  const refuse = (message: string) => new PloyzError({ code: "pool_options_invalid", message });
  if (!isAbsolute(file) || /[\s\p{Cc}]/u.test(file) || file.split("/").includes("..")) {
    throw refuse(`${JSON.stringify(file.slice(0, 200))} is not an absolute path without spaces`);
  }
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < MIN_SIZE) {
    throw refuse(`a pool needs at least ${MIN_SIZE} bytes (64 MiB), not ${sizeBytes}`);
  }
}

/** False when the file exists. */
async function makeSparse(file: string, sizeBytes: number): Promise<boolean> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.truncate(sizeBytes);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** An interrupted create leaves a file without blocks. */
async function hasContent(file: string): Promise<boolean> {
  const { blocks, size } = await stat(file);
  return blocks > 0 || size < MIN_SIZE;
}
