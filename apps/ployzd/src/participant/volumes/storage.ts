import { mkdir, readdir } from "node:fs/promises";
import type { ServiceHost } from "@ployz/exec";
import { ensureZfsFuse, openZfs, type Zfs } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import { serialise } from "../../state/files.ts";
import { copiesOf, type Pool } from "./copies.ts";
import { layoutOf, OURS } from "./layout.ts";
import { open } from "./mount.ts";

/** The pool under this machine's volumes. A machine without its pool keeps working, without volumes. */
export interface Storage {
  /** Absent when the configuration names none. */
  readonly root: string | undefined;
  /** Opens the pool, once. @throws PloyzError `zfs_unavailable`, `pool_missing`, …: the next call retries. */
  ready(): Promise<Pool>;
  /** The pool, only if it is open. */
  present(): Pool | undefined;
  /** The reason why this machine has no volumes, or why some are not mounted. */
  problems(): readonly string[];
  /** Replaces the volumes that are known not to be mounted, one sentence each. */
  noteUnmounted(found: readonly string[]): void;
  /** The time when the volume was remounted after a killed zfs-fuse left its mount dead; epoch milliseconds. */
  remountedAt(id: string): number | undefined;
}

export interface StorageOptions {
  /** `storage.zfs_root`. */
  readonly root: string | undefined;
  readonly services: ServiceHost;
  /** Parent folder of the mountpoints. */
  readonly mounts: string;
  /** Folder of pools on files. */
  readonly pools: string;
  log(error: unknown, what: string): void;
}

export function openStorage(options: StorageOptions): Storage {
  const { root } = options;
  let pool: Pool | undefined;
  let failure: string | undefined;
  let unmounted: readonly string[] = [];
  const remounts = new Map<string, number>();
  const inTurn = serialise();

  async function start(name: string): Promise<Pool> {
    const { remounted, warning } = await ensureZfsFuse({ services: options.services });
    if (remounted.length > 0 || warning !== undefined) options.log({ remounted, warning }, "zfs-fuse");
    for (const dataset of remounted) remounts.set(dataset.slice(dataset.lastIndexOf("/") + 1), Date.now());
    const zfs = await openZfs();
    await importFrom(zfs, name.split("/")[0] ?? name, options.pools);
    // Keep an existing one as the operator has set it.
    if ((await zfs.findDataset(name, OURS)) === undefined)
      await zfs.ensureDataset(name, { properties: { mountpoint: "none", canmount: "off" } });
    const layout = layoutOf(name, options.mounts);
    for (const folder of [layout.volumes, layout.incoming, layout.retired])
      await zfs.ensureDataset(folder, { properties: { mountpoint: "none", canmount: "off", atime: false } });
    await mkdir(options.mounts, { recursive: true, mode: 0o711 });
    return { zfs, layout };
  }

  async function mountActive(opened: Pool): Promise<void> {
    const failed: string[] = [];
    for (const { id, state, dataset } of await copiesOf(opened)) {
      if (state !== "active" || dataset === undefined) continue;
      await open(opened, dataset.name, id, dataset).catch((error: unknown) => {
        options.log(error, `mounting ${id}`);
        failed.push(`volume ${id} is not mounted: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
    unmounted = failed;
  }

  return {
    root,
    present: () => pool,
    noteUnmounted(found) {
      unmounted = found;
    },
    remountedAt: (id) => remounts.get(id),
    problems: () => [...(failure === undefined ? [] : [failure]), ...unmounted],
    ready: () =>
      inTurn(async () => {
        if (pool !== undefined) return pool;
        if (root === undefined) {
          throw new PloyzError({
            code: "zfs_unavailable",
            message: "this machine has no volumes: storage.zfs_root is not configured",
            hint: "run on it: ployzctl daemon install --zfs-root POOL/ployz",
          });
        }
        try {
          const opened = await start(root);
          await mountActive(opened);
          pool = opened;
          failure = undefined;
          return opened;
        } catch (error) {
          failure = `no volumes: ${error instanceof Error ? error.message : String(error)}`;
          throw error;
        }
      }),
  };
}

/** A boot does not import a pool on a file below `dir`. */
async function importFrom(zfs: Zfs, pool: string, dir: string): Promise<void> {
  if ((await zfs.listPools()).some(({ name }) => name === pool)) return;
  const files = await readdir(dir).catch(() => []);
  if (files.length > 0) await zfs.importPool(pool, dir);
}
