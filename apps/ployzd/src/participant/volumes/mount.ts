import { mkdir, rmdir, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { VolumeSpec } from "@ployz/primitives";
import type { Dataset, SettableProperties } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Pool } from "./copies.ts";
import { contentOf, mountpointOf, OURS } from "./layout.ts";

const DEFAULT_RECORDSIZE = 131_072;

/**
 * What a volume's spec is in properties. Its quota is ZFS's refquota: what the instance may store. With `quota`, the snapshots that
 * operations take would use it up, and a volume could become too big for its own quota on the machine that receives it.
 */
export function specProperties(spec: VolumeSpec): SettableProperties {
  return {
    refquotaBytes: spec.quotaBytes ?? "none",
    recordsizeBytes: spec.recordsizeBytes ?? DEFAULT_RECORDSIZE,
  };
}

/**
 * Ready to be used: writable, mounted, now and after a reboot, with the folder that instances get. Repeated before each use, so that a
 * step that was cut off half way is finished by the next one.
 */
export async function open({ zfs, layout }: Pool, name: string, id: string, seen?: Dataset): Promise<void> {
  const path = mountpointOf(layout, id);
  const now = seen ?? (await zfs.getDataset(name, OURS));
  if (isOpen(now, path) && (await isMountpoint(path))) return makeContent(contentOf(layout, id));
  // Writable first: once it has a mountpoint it is mounted, and zfs-fuse does not change a mount.
  await zfs.setProperties(now, { readonly: false });
  await zfs.setProperties(now, { canmount: "on", mountpoint: path });
  // Which has mounted it, unless it had that mountpoint before.
  if (!(await isMountpoint(path))) await zfs.mount(name);
  if (!(await isMountpoint(path))) {
    throw new PloyzError({
      code: "mount_failed",
      message: `${name} is mounted, says ZFS, but not at ${path}`,
      hint: `look at the mounts: grep ${path} /proc/mounts`,
    });
  }
  await makeContent(contentOf(layout, id));
}

/** Asked of the kernel: what was made in an unmounted folder would be on the machine's own disk. */
async function isMountpoint(path: string): Promise<boolean> {
  try {
    await statfs(path); // fails on a dead mount, of which stat(2) would remember what it was
    const [inside, outside] = await Promise.all([stat(path), stat(dirname(path))]);
    return inside.dev !== outside.dev;
  } catch {
    return false;
  }
}

const isOpen = ({ mounted, mountpoint, properties }: Dataset, path: string): boolean =>
  mounted &&
  mountpoint === path &&
  properties.get("readonly")?.value === "off" &&
  properties.get("canmount")?.value === "on";

/**
 * Out of use: unmounted, read-only, and without a mountpoint, so that no reboot mounts it. To be done before its place or its mark
 * changes: until then it is a volume that the next use opens again.
 */
export async function close({ zfs, layout }: Pool, dataset: Dataset, id: string): Promise<void> {
  await zfs.unmount(dataset);
  await zfs.setProperties(dataset, { mountpoint: "none", readonly: true });
  await rmdir(mountpointOf(layout, id)).catch(() => {}); // only when empty; nothing depends on it
}

async function makeContent(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new PloyzError(
      { code: "no_space", message: `there is no space for ${path}`, hint: "free space in the pool" },
      { cause: error },
    );
  }
}

/** The marks that are there and should not be, one call each. */
export async function unmark({ zfs }: Pool, dataset: Dataset, ...marks: readonly string[]): Promise<void> {
  for (const mark of marks) if (dataset.user[mark] !== undefined) await zfs.unsetProperty(dataset.name, mark);
}
