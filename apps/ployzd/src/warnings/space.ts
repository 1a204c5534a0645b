import type { MachineRow } from "@ployz/primitives/client";
import { type Warning, warning } from "./codes.ts";
import type { Seen } from "./seen.ts";

const DISK_FREE_BYTES = 2 ** 30;
const POOL_FREE_SHARE = 0.1;
const INODES_FREE_SHARE = 0.05;
const MEMORY_FREE_SHARE = 0.05;

const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/** Disks, inodes, memory and pools that are nearly full, and pools that lost a disk. */
export const spaceWarnings = ({ machines }: Seen): readonly Warning[] =>
  machines.flatMap((machine) => [...hostWarnings(machine), ...poolWarnings(machine)]);

function hostWarnings({ record: { id }, observation }: MachineRow): readonly Warning[] {
  if (observation === undefined) return [];
  const { diskFreeBytes, inodes, memoryBytes, memoryFreeBytes } = observation;
  const found: Warning[] = [];
  if (diskFreeBytes < DISK_FREE_BYTES)
    found.push(
      warning("disk_nearly_full", id, {
        message: `the disk of ${id} is nearly full: ${mib(diskFreeBytes)} free`,
        hint: "remove what nothing needs: ployzctl image prune",
      }),
    );
  if (inodes !== undefined && inodes.free < inodes.total * INODES_FREE_SHARE)
    found.push(
      warning("inodes_nearly_used", id, {
        message: `the disk of ${id} has few inodes left: ${inodes.free} of ${inodes.total} free`,
        hint: "remove many small files, or what nothing needs: ployzctl image prune",
      }),
    );
  if (memoryFreeBytes < memoryBytes * MEMORY_FREE_SHARE)
    found.push(
      warning("memory_nearly_full", id, {
        message: `the memory of ${id} is nearly full: ${mib(memoryFreeBytes)} of ${mib(memoryBytes)} free`,
        hint: `set resources.memory in manifests, or move work off ${id}`,
      }),
    );
  return found;
}

function poolWarnings({ record: { id }, observation }: MachineRow): readonly Warning[] {
  const storage = observation?.storage;
  if (storage === undefined) return [];
  const { availableBytes, usedBytes, health = "ONLINE", root, poolBytes } = storage;
  // Other datasets of the pool fill it, too.
  const size = poolBytes ?? availableBytes + usedBytes;
  const found: Warning[] = [];
  if (health !== "ONLINE")
    found.push(
      warning("pool_degraded", id, {
        message: `the pool ${root.split("/")[0]} of ${id} is ${health}`,
        hint: "run on that machine: zpool status -x; then replace the broken disk: zpool replace",
      }),
    );
  if (availableBytes < size * POOL_FREE_SHARE)
    found.push(
      warning("pool_nearly_full", id, {
        message: `the pool of ${id} is nearly full: ${mib(availableBytes)} of ${mib(size)} free`,
        hint: "remove old snapshots: ployzctl volume prune; or add a disk to the pool",
      }),
    );
  return found;
}
