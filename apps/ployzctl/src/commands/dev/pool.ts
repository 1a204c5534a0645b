import { access, mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import type { ServiceHost } from "@ployz/exec";
import { ensureZfsFuse, openZfs, probeZfs } from "@ployz/zfs";
import type { Settings } from "../../settings.ts";

const POOL = "ployz-dev";
/** The value of `storage.zfs_root` for dev's pool. */
export const DEV_ROOT = `${POOL}/ployz`;
/** The pool's entry in the marker. */
export const POOL_MADE = `pool ${POOL}`;
const FUSE_SERVICE = "ployz-zfs-fuse";

const MIB = 2 ** 20;
const MOST_BYTES = 100 * 2 ** 30;

/** Where the daemon imports file-backed pools from: see its pathsOf. */
const fileOf = ({ dataDir }: Settings): string => join(dataDir, "pools", `${POOL}.img`);

export type DevPool =
  | { readonly outcome: "created" | "imported" | "unchanged" }
  | { readonly outcome: "none"; readonly why: string };

/** Creates a pool on a sparse file where ZFS or zfs-fuse is available. Without a pool, dev has no volumes. */
export async function ensureDevPool(settings: Settings, services: ServiceHost): Promise<DevPool> {
  try {
    const probe = await probeZfs();
    if (!probe.available && !probe.startable) return { outcome: "none", why: probe.reason };
    await mkdir(settings.dataDir, { recursive: true });
    await ensureZfsFuse({ services });
    const { bavail, bsize } = await statfs(settings.dataDir);
    // The file is sparse, but its size must fit the disk.
    const bytes = Math.min(MOST_BYTES, Math.floor((bavail * bsize * 0.8) / MIB) * MIB);
    const zfs = await openZfs();
    return { outcome: await zfs.createFilePool({ name: POOL, file: fileOf(settings), sizeBytes: bytes }) };
  } catch (error) {
    return { outcome: "none", why: errorBody(error).message };
  }
}

/** Destroys the pool that dev created, with every volume in it. None of its datasets may be mounted. */
export async function removeDevPool(settings: Settings, services: ServiceHost): Promise<readonly string[]> {
  const file = fileOf(settings);
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (!there) return [];
  if ((await probeZfs()).available) {
    const zfs = await openZfs();
    const pool = (await zfs.listPools()).find(({ name }) => name === POOL);
    if (pool !== undefined) await zfs.destroyPool(POOL, { guid: pool.guid });
    const others = (await zfs.listPools()).length;
    // Only the zfs-fuse that was started for this pool.
    if (others === 0 && (await services.status(FUSE_SERVICE)).state !== "absent")
      await services.remove(FUSE_SERVICE);
  }
  await rm(file, { force: true });
  return [POOL_MADE];
}
