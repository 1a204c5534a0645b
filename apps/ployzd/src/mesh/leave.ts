import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "@ployz/exec";
import { readJson, writeJson } from "../state/files.ts";
import { forgetMembership, type Membership } from "./membership.ts";
import { openSubstrate, type Surroundings } from "./substrate.ts";

/** Whether an operation has ordered this machine to leave, and it has not yet. */
export const leaveOrder = async (path: string): Promise<boolean> => (await readJson(path)) !== undefined;
export const writeLeaveOrder = (path: string, operation: string): Promise<void> =>
  writeJson(path, { operation });

/**
 * Takes everything of the cluster off this machine: instances, followers, gateway, store, tunnel and keys. `destroy` is needed for the
 * machine that holds the store, since what it holds is the cluster.
 */
export async function leaveMesh(
  around: Surroundings,
  membership: Membership,
  destroy: boolean,
): Promise<void> {
  const { paths } = around;
  if (membership.machine.store && !destroy) {
    throw new PloyzError({
      code: "holds_the_store",
      message: `${membership.machine.id} holds the store of ${membership.cluster.name}: leaving would destroy the cluster`,
      hint: "ployzctl mesh destroy does that",
    });
  }
  const substrate = await openSubstrate(around, membership);
  const instances = await substrate.runtime.list();
  await Promise.all(
    instances
      .filter(({ labels }) => labels.namespace !== undefined)
      .map(({ id }) => substrate.runtime.remove(id)),
  );
  await substrate.down();
  await Promise.all(
    [
      paths.fences,
      paths.reservations,
      paths.stopped,
      paths.identity,
      paths.bundles,
      paths.instances,
      paths.instanceLogs,
      join(paths.mirror),
    ].map((path) => rm(path, { recursive: true, force: true })),
  );
  await forgetMembership(paths.membership); // until then the same command finds its way again
  await rm(paths.leaving, { force: true });
}
