import { mkdir, rmdir, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { VolumeSpec } from "@ployz/primitives/protocol";
import type { Dataset, SettableProperties } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Pool } from "./copies.ts";
import { contentOf, mountpointOf, OURS } from "./layout.ts";

const DEFAULT_RECORDSIZE = 131_072;

/**
 * Converts a volume's spec to ZFS properties. Its quota is ZFS's refquota, which limits the instance's data. With `quota`, the snapshots of
 * operations would count too, and a volume could exceed its own quota on the receiving machine.
 */
export function specProperties(spec: VolumeSpec): SettableProperties {
  return {
    refquotaBytes: spec.quotaBytes ?? "none",
    recordsizeBytes: spec.recordsizeBytes ?? DEFAULT_RECORDSIZE,
  };
}

/**
 * Opens a volume for use: writable, mounted, now and after a reboot, with the instances' folder. Repeated before each use, which completes
 * an interrupted step.
 */
export async function open({ zfs, layout }: Pool, name: string, id: string, seen?: Dataset): Promise<void> {
  const path = mountpointOf(layout, id);
  const now = seen ?? (await zfs.getDataset(name, OURS));
  if (isOpen(now, path) && (await isMountpoint(path))) return makeContent(contentOf(layout, id));
  // Writable first: setting the mountpoint mounts it, and zfs-fuse does not change a mount.
  await zfs.setProperties(now, { readonly: false });
  await zfs.setProperties(now, { canmount: "on", mountpoint: path });
  // Setting it has mounted the dataset, unless it had that mountpoint before.
  if (!(await isMountpoint(path))) await zfs.mount(name);
  if (!(await isMountpoint(path))) {
    throw new PloyzError({
      code: "mount_failed",
      message: `ZFS reports ${name} mounted, but not at ${path}`,
      hint: `check the mounts: grep ${path} /proc/mounts`,
    });
  }
  await makeContent(contentOf(layout, id));
}

/** Asks the kernel: data in an unmounted folder would be on the machine's own disk. */
export async function isMountpoint(path: string): Promise<boolean> {
  try {
    await statfs(path); // fails on a dead mount, for which stat(2) would return cached data
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
 * Closes a volume: unmounted, read-only, and without a mountpoint, so that no reboot mounts it. Call it before its place or its mark
 * changes: until then the next use opens the volume again.
 */
export async function close({ zfs, layout }: Pool, dataset: Dataset, id: string): Promise<void> {
  await zfs.unmount(dataset);
  await zfs.setProperties(dataset, { mountpoint: "none", readonly: true });
  await rmdir(mountpointOf(layout, id)).catch(() => {}); // removes it only when empty; no other code relies on that
}

async function makeContent(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new PloyzError(
      { code: "no_space", message: `no space left for ${path}`, hint: "free space in the pool" },
      { cause: error },
    );
  }
}

/** Removes unexpected marks, one call each. */
export async function unmark({ zfs }: Pool, dataset: Dataset, ...marks: readonly string[]): Promise<void> {
  for (const mark of marks) if (dataset.user[mark] !== undefined) await zfs.unsetProperty(dataset.name, mark);
}
