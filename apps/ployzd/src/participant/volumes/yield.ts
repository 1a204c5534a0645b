import type { AdoptionReport } from "@ployz/primitives/client";
import { type Commit, standbyOf } from "@ployz/primitives/protocol";
import { usesOf } from "../labels.ts";
import { findCopy, type Pool } from "./copies.ts";
import type { VolumeDeps } from "./deps.ts";
import { toRetired } from "./moves.ts";

type Deps = Pick<VolumeDeps, "self" | "runtime" | "inTurn" | "now">;

/**
 * Volumes of this machine whose standby was taken over while it was away: their instances are stopped and removed, and the copy is
 * retired with a snapshot of its last state, which the standby did not get. Repeatable.
 */
export async function yieldVolumes(
  { self, runtime, inTurn, now }: Deps,
  pool: Pool,
  commits: readonly Commit[],
  remove: (instance: string) => Promise<void>,
): Promise<AdoptionReport["removed"]> {
  const taken = commits.flatMap(({ volumes }) =>
    volumes.filter(
      ({ machine, moved }) =>
        machine !== self && moved?.from === self && standbyOf(moved.snapshot) !== undefined,
    ),
  );
  const yielded: AdoptionReport["removed"][number][] = [];
  for (const { id, machine, moved } of taken) {
    const copy = await findCopy(pool, id);
    if (copy?.place !== "volumes") continue;
    for (const instance of await runtime.list())
      if (usesOf(instance.labels).some((volume) => volume.id === id)) await remove(instance.id);
    await inTurn(id, async () => {
      const present = await findCopy(pool, id);
      if (present?.place !== "volumes" || present.dataset === undefined) return;
      const left = `${present.dataset.name}@left-${moved?.snapshot.slice(-26)}`;
      await pool.zfs.ensureSnapshot(left, { userProperties: [] });
      await toRetired(pool, present, present.dataset, new Date(now()).toISOString());
      yielded.push({ what: `volume ${id}`, why: `retired: its standby on ${machine} was taken over` });
    });
  }
  return yielded;
}
