import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "../error-codes.ts";

import { takeReleaseKey } from "../host/release-key.ts";
import { leaveVolumes } from "../participant/volumes/leave.ts";

import { readJson, writeJson } from "../state/files.ts";

import { forgetMembership, type Membership } from "./membership.ts";
import { openSubstrate, type Surroundings } from "./substrate.ts";

/** Whether this machine has an order to leave that is not yet carried out. */
export const leaveOrder = async (path: string): Promise<boolean> => (await readJson(path)) !== undefined;
export const writeLeaveOrder = (path: string, operation: string): Promise<void> =>
  writeJson(path, { operation });

/**
 * Removes everything of the cluster from this machine: instances, followers, gateway, store, tunnel and keys. A store machine needs
 * `destroy`, since its data is the cluster. Keeps volumes and resolves with their datasets. Also deletes the identity, unless the machine
 * is about to join again with it.
 */
export async function leaveMesh(
  around: Surroundings,
  membership: Membership,
  destroy: boolean,
  identity: "removed" | "kept" = "removed",
): Promise<readonly string[]> {
  const { paths } = around;
  if (membership.machine.store && !destroy) {
    throw new PloyzError({
      code: "holds_the_store",
      message: `${membership.machine.id} holds the store of ${membership.cluster.name}: leaving would destroy the cluster`,
      hint: "to destroy it: ployzctl mesh destroy",
    });
  }
  const substrate = await openSubstrate(around, membership);
  const instances = await substrate.runtime.list();
  await Promise.all(
    instances
      .filter(({ labels }) => labels.namespace !== undefined)
      .map(({ id }) => substrate.runtime.remove(id)),
  );
  const kept = await leaveVolumes(around.storage).catch(unlessUnmounted(paths.volumes));
  await substrate.down();
  await Promise.all(
    [
      paths.fences,
      paths.reservations,
      paths.stopped,
      paths.secrets,
      ...(identity === "removed" ? [paths.identity] : []),
      paths.bundles,
      paths.instances,
      paths.instanceLogs,
      paths.endedLogs,
      paths.accessLog,
      paths.runs,
      paths.pause,
      join(paths.mirror),
    ].map((path) => rm(path, { recursive: true, force: true })),
  );
  if (membership.releaseKey !== undefined) await takeReleaseKey(paths.releaseKey, membership.releaseKey);
  await forgetMembership(paths.membership); // until then the same command can be repeated
  await rm(paths.leaving, { force: true });
  return kept;
}

/** A pool that does not answer does not prevent leaving, unless a volume is still mounted. */
function unlessUnmounted(mounts: string) {
  return async (error: unknown): Promise<readonly string[]> => {
    if ((await readFile("/proc/self/mounts", "utf8")).includes(` ${mounts}/`)) throw error;
    return [];
  };
}
