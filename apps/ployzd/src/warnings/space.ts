import { type Warning, warning } from "./codes.ts";
import type { Seen } from "./seen.ts";

const DISK_FREE_BYTES = 2 ** 30;
const POOL_FREE_SHARE = 0.1;

export function spaceWarnings({ machines }: Seen): readonly Warning[] {
  return machines.flatMap(({ record: { id }, observation }): readonly Warning[] => {
    if (observation === undefined) return [];
    const { diskFreeBytes, storage } = observation;
    const size = (storage?.availableBytes ?? 0) + (storage?.usedBytes ?? 0);
    const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
    return [
      ...(diskFreeBytes < DISK_FREE_BYTES
        ? [
            warning("disk_nearly_full", id, {
              message: `the disk of ${id} is nearly full: ${mib(diskFreeBytes)} free`,
              hint: "remove what nothing needs: ployzctl image prune",
            }),
          ]
        : []),
      ...(storage !== undefined && storage.availableBytes < size * POOL_FREE_SHARE
        ? [
            warning("pool_nearly_full", id, {
              message: `the pool of ${id} is nearly full: ${mib(storage.availableBytes)} of ${mib(size)} free`,
              hint: "remove old snapshots: ployzctl volume prune; or add a disk to the pool",
            }),
          ]
        : []),
    ];
  });
}
