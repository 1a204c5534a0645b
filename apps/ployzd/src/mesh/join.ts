import { readFileIfThere } from "@ployz/exec";
import type { JoinDocument } from "@ployz/primitives/client";
import type { MachineRecord } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { bringReleaseKey } from "../host/release-key.ts";
import { ensureIdentity } from "./identity.ts";
import { type Membership, readMembership, writeMembership } from "./membership.ts";
import { preconditions } from "./preconditions.ts";
import type { Surroundings } from "./substrate.ts";

/** Takes the seat that a member reserved for this machine. Repeating it with the same seat is a no-op. */
export async function joinMesh(around: Surroundings, document: JoinDocument): Promise<Membership> {
  const { cluster, machine, machines, storeServers, releaseKey } = document;
  const identity = await ensureIdentity(around.paths);
  if (machine.publicKey !== identity.publicKey) {
    throw new PloyzError({
      code: "wrong_machine",
      message: `the seat ${machine.id} is reserved for another machine's key`,
      hint: "run machine add again",
    });
  }
  const present = await readMembership(around.paths.membership);
  if (present !== undefined) {
    const same =
      present.cluster.id === cluster.id &&
      present.machine.id === machine.id &&
      present.machine.index === machine.index;
    if (same) {
      if (present.releaseKey !== undefined)
        await bringReleaseKey(around.paths.releaseKey, present.releaseKey);
      return present;
    }
    throw new PloyzError({
      code: "already_member",
      message: `this machine is ${present.machine.id} of ${present.cluster.name}`,
      hint: "leave it first: ployzctl mesh leave",
    });
  }
  await preconditions(around, {
    clusterCidr: cluster.clusterCidr,
    address: machine.address,
    store: machine.store,
  });
  const membership: Membership = {
    v: 1,
    cluster,
    machine,
    machines: withSelf(machines, machine),
    storeServers,
    ...(releaseKey !== undefined &&
      (await readFileIfThere(around.paths.releaseKey)) === undefined && { releaseKey }),
  };
  await writeMembership(around.paths.membership, membership);
  if (membership.releaseKey !== undefined)
    await bringReleaseKey(around.paths.releaseKey, membership.releaseKey);
  return membership;
}

const withSelf = (machines: readonly MachineRecord[], self: MachineRecord): readonly MachineRecord[] => [
  ...machines.filter(({ id }) => id !== self.id),
  self,
];
