import { PloyzError } from "@ployz/exec";
import type { JoinDocument, MachineRecord } from "@ployz/primitives";
import { ensureIdentity } from "./identity.ts";
import { preconditions } from "./init.ts";
import { type Membership, readMembership, writeMembership } from "./membership.ts";
import type { Surroundings } from "./substrate.ts";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function checked(document: unknown): JoinDocument {
  const good =
    isRecord(document) &&
    document.v === 1 &&
    isRecord(document.cluster) &&
    isRecord(document.machine) &&
    Array.isArray(document.machines) &&
    Array.isArray(document.storeServers);
  if (!good)
    throw new PloyzError({
      code: "invalid_input",
      message: "this is not a join document of version 1",
      hint: "ployzctl machine add makes it; the versions of both machines must fit",
    });
  return document as unknown as JoinDocument;
}

/** Takes the seat that a member reserved for this machine. The same seat again is a no-op. */
export async function joinMesh(around: Surroundings, raw: unknown): Promise<Membership> {
  const document = checked(raw);
  const { cluster, machine, machines, storeServers } = document;
  const identity = await ensureIdentity(around.paths);
  if (machine.publicKey !== identity.publicKey) {
    throw new PloyzError({
      code: "wrong_machine",
      message: `the seat ${machine.id} was reserved for another key than this machine's`,
      hint: "run machine add again",
    });
  }
  const present = await readMembership(around.paths.membership);
  if (present !== undefined) {
    const same =
      present.cluster.id === cluster.id &&
      present.machine.id === machine.id &&
      present.machine.index === machine.index;
    if (same) return present;
    throw new PloyzError({
      code: "already_member",
      message: `this machine is ${present.machine.id} of ${present.cluster.name}`,
      hint: "ployzctl mesh destroy leaves it",
    });
  }
  await preconditions(around, cluster.clusterCidr);
  const membership: Membership = {
    v: 1,
    cluster,
    machine,
    machines: withSelf(machines, machine),
    storeServers,
  };
  await writeMembership(around.paths.membership, membership);
  return membership;
}

const withSelf = (machines: readonly MachineRecord[], self: MachineRecord): readonly MachineRecord[] => [
  ...machines.filter(({ id }) => id !== self.id),
  self,
];
