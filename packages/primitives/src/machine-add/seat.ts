import Type from "typebox";
import { PloyzError } from "../error-codes.ts";
import { endpoints } from "../model/fields.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord, SubnetRecord } from "../model/machine.ts";
import { NKEY, WIREGUARD_KEY } from "../model/patterns.ts";
import { type Shape, shapeChecker } from "../model/shape.ts";
import type { Entry, Fact } from "../ports/store.ts";
import { type MemberPorts, type SubnetPlan, takenIndexes } from "./observe.ts";
import type { Seat } from "./plan.ts";

/** Of what `ployzctl mesh self-record --json` answers, what goes into the configuration of every member. */
export const Self = Type.Object({
  publicKey: Type.String({ pattern: WIREGUARD_KEY, description: "a WireGuard public key" }),
  nkey: Type.String({ pattern: NKEY, description: "a public nkey of a user" }),
  endpoints: endpoints(0),
});
export type Self = Shape<typeof Self>;

const check = shapeChecker(Self);

export function selfOf(document: Json, host: string): Self {
  if (check(document).length > 0)
    throw new PloyzError({
      code: "remote_failed",
      message: `${host}: its daemon did not report its keys and addresses`,
      hint: `look at it there: ployzctl mesh self-record --address ${host}`,
    });
  const { publicKey, nkey, endpoints } = document as Self;
  return { publicKey, nkey, endpoints };
}

/** Takes the first free subnet and the name, each by creating its fact: of two adds that want one, one gets it. Finds what it took before. */
export async function takeSeat(
  seat: Seat,
  self: Self,
  operation: string,
  ports: MemberPorts,
): Promise<{ readonly revision: number; readonly record: MachineRecord }> {
  const { facts } = ports.store;
  const [machines, removed, subnets, cluster] = await Promise.all([
    facts.list("machine"),
    facts.list("removed"),
    facts.list("subnet"),
    facts.get("cluster"),
  ]);
  if (cluster === undefined) throw new Error("the cluster record is gone");
  const standing = machines.find(({ key }) => key === `machine.${seat.id}`);
  if (standing !== undefined) return own(standing, operation);
  refuseClone(self, machines);
  refuseRemoved(self, removed);

  const place = await ports.subnets(cluster.value);
  const mine = subnets.find(({ value }) => value.operation === operation);
  const index =
    mine === undefined
      ? await claimSubnet(place, takenIndexes(machines, subnets), { machine: seat.id, operation }, ports)
      : Number(mine.key.split(".")[1]);
  const found = place(index);
  if (found === undefined) throw new Error(`subnet ${index} is beyond the cluster's range`);
  const record: MachineRecord = {
    ...seat,
    ...self,
    ...found,
    index,
    state: "joining",
    store: false,
    operation,
  };
  const written = await facts.put(`machine.${seat.id}`, record, 0);
  if (written.ok) return { revision: written.revision, record };
  if (written.current !== undefined) return own(written.current, operation);
  throw new PloyzError({
    code: "conflict",
    message: `machine.${seat.id} changed`,
    hint: "run the same command again",
  });
}

async function claimSubnet(
  place: SubnetPlan,
  taken: ReadonlySet<number>,
  owner: SubnetRecord,
  ports: MemberPorts,
): Promise<number> {
  for (let index = 1; place(index) !== undefined; index++) {
    if (!taken.has(index) && (await claim(ports, index, owner))) return index;
  }
  throw new PloyzError({
    code: "subnets_exhausted",
    message: "the cluster has no free subnet left",
    hint: "a larger cluster_cidr needs a new cluster",
  });
}

/** Gives back every fact that the operation created for its seat. */
export async function leaveSeat(seat: Seat, operation: string, { store }: MemberPorts): Promise<void> {
  const [machine, subnets] = await Promise.all([
    store.facts.get(`machine.${seat.id}`),
    store.facts.list("subnet"),
  ]);
  // The name first: while a record stands, its subnet must not be another's.
  const mine = [...(machine === undefined ? [] : [machine]), ...subnets].filter(
    ({ value }) => value.operation === operation,
  );
  for (const { key, revision } of mine) {
    const removed = await store.facts.remove(key, revision);
    if (removed.ok) continue;
    throw new PloyzError({
      code: "conflict",
      message: `${key} changed while it was given back`,
      hint: "run the same command again",
    });
  }
}

/** The operation's own record as it stands, or why the name cannot be had. */
function own({ key, value, revision }: Entry<MachineRecord>, operation: string) {
  if (value.operation === operation) return { revision, record: value };
  const name = key.slice("machine.".length);
  throw new PloyzError({
    code: "name_taken",
    message: `the name ${name} was taken meanwhile`,
    hint: "give another with --name",
  });
}

/** A copied disk has the identity of the machine that it was copied from: the two would take each other's traffic. */
function refuseClone({ publicKey, nkey }: Self, machines: readonly Fact<"machine">[]): void {
  const other = machines
    .map(({ value }) => value)
    .find((record) => record.publicKey === publicKey || record.nkey === nkey);
  if (other === undefined) return;
  throw new PloyzError({
    code: "identity_taken",
    message: `it has the keys of machine ${other.id}: its disk is a copy of that machine's`,
    hint: "run there: ployzctl daemon uninstall, and remove its data folder; then run this again",
  });
}

/** Keys that were revoked stay so, whoever has them now. */
function refuseRemoved({ publicKey, nkey }: Self, removed: readonly Fact<"removed">[]): void {
  const gone = removed
    .map(({ value }) => value)
    .find((machine) => machine.publicKey === publicKey || machine.nkey === nkey);
  if (gone === undefined) return;
  throw new PloyzError({
    code: "machine_removed",
    message: `it has the keys of ${gone.id}, which operation ${gone.operation} removed from the cluster`,
    hint: "run there: ployzctl mesh leave; then run this again",
    operationId: gone.operation,
  });
}

/** False: another operation has it. */
async function claim(ports: MemberPorts, index: number, value: SubnetRecord) {
  const written = await ports.store.facts.put(`subnet.${index}`, value, 0);
  return written.ok || written.current?.value.operation === value.operation;
}
