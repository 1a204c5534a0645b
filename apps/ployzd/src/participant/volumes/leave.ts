import { copiesOf } from "./copies.ts";
import { close } from "./mount.ts";
import type { Storage } from "./storage.ts";

/**
 * Closes the volumes before the machine leaves its cluster: none may stay mounted below a data folder that may be deleted next. Destroys
 * nothing. Resolves with the datasets that hold data.
 */
export async function leaveVolumes({
  root,
  ready,
}: Pick<Storage, "root" | "ready">): Promise<readonly string[]> {
  if (root === undefined) return [];
  const pool = await ready();
  const kept: string[] = [];
  for (const { id, dataset } of await copiesOf(pool)) {
    if (dataset === undefined) continue;
    await close(pool, dataset, id);
    kept.push(dataset.name);
  }
  return kept;
}
