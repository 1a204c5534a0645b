import { copiesOf, findCopy } from "./copies.ts";
import type { VolumeDeps } from "./deps.ts";
import { mountpointOf } from "./layout.ts";
import { isMountpoint, open } from "./mount.ts";

/** One sentence for each volume. */
export interface Mounts {
  readonly repaired: readonly string[];
  readonly remaining: readonly string[];
}

/**
 * Mounts active volumes that another program has unmounted. An instance keeps its own mount, so its data is never elsewhere; but zfs-fuse
 * does not mount a dataset that an instance has: such a volume is mounted again when its service has been restarted.
 */
export async function keepMounts(deps: VolumeDeps): Promise<Mounts> {
  const pool = deps.storage.present();
  if (pool === undefined) return { repaired: [], remaining: [] };
  const repaired: string[] = [];
  const remaining: string[] = [];
  const lookAt = async (id: string) => {
    const path = mountpointOf(pool.layout, id);
    if (await isMountpoint(path)) return;
    // An operation may be about to close or to open it.
    await deps.inTurn(id, async () => {
      const copy = await findCopy(pool, id);
      if (copy?.state !== "active" || copy.dataset === undefined || (await isMountpoint(path))) return;
      await open(pool, copy.dataset.name, id, copy.dataset);
      repaired.push(`volume ${id}: mounted again`);
    });
  };
  for (const { id, state, dataset } of await copiesOf(pool)) {
    if (state !== "active" || dataset === undefined) continue;
    await lookAt(id).catch((error: unknown) => {
      remaining.push(
        `volume ${id} is not mounted: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
  }
  deps.storage.noteUnmounted(remaining);
  return { repaired, remaining };
}
