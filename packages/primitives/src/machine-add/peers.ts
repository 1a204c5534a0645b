import { errorBody } from "@ployz/errors";
import type { Basis, CommitPoint, PlannedStep, StepContext, StepDef, Summary } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { isMember, type MachineRecord } from "../model/machine.ts";
import type { MemberFacts, MemberPorts } from "./observe.ts";

/** What every way into the cluster has in common once a seat is reserved: members take the new peer, it joins, and they shake hands. */
export type PeerKinds = {
  "members.await": { args: { seat: string; reserve: string }; out: { peers: number } };
  "handshake.await": {
    args: { id: string; machines: readonly string[] };
    out: { handshakes: Readonly<Record<string, number>>; mtu?: number };
  };
};

/** A seat that was reserved: the record as written, and its revision. */
export type Reserved = { readonly revision: number; readonly record: MachineRecord };
/** Members add the peer and shake hands. `kind`: that of the step that reserves the seat. */
export const peerSteps = <Kind extends string>(
  kind: Kind,
): {
  readonly [N in keyof PeerKinds]: StepDef<
    MemberPorts,
    PeerKinds[N]["args"],
    PeerKinds[N]["out"],
    Record<Kind, { readonly args: Json; readonly out: Reserved }>
  >;
} => ({
  "members.await": {
    timeoutMs: () => 30_000,
    retryTransient: true,
    async apply({ seat, reserve }, context) {
      const { revision } = context.output(reserve, kind);
      const wait = { timeoutMs: 25_000, signal: context.signal };
      try {
        return await context.call(seat, "membership.await", { revision }, wait);
      } catch (error) {
        if (context.signal.aborted || (await stillMembers([seat], context)).length > 0) throw error;
        return { peers: 0 }; // removed meanwhile
      }
    },
  },
  "handshake.await": {
    timeoutMs: () => 45_000,
    retryTransient: true,
    async apply({ id, machines }, context) {
      const wait = { timeoutMs: 25_000, signal: context.signal };
      const timeoutMs = 20_000;
      // Both ways: the limit may hold for received packets only. TCP heeds the smaller MTU of the two.
      const back = (peers: readonly string[], mtu?: number) =>
        Promise.all(
          peers.map((peer) => {
            const asked = { machines: [id], timeoutMs, ...(mtu !== undefined && { mtu }) };
            return context.call(peer, "membership.handshake", asked, wait);
          }),
        );
      const shake = async (peers: readonly string[]) => {
        const asked = { machines: peers, timeoutMs };
        const listening = { ...wait, silentTimeoutMs: 5_000 };
        const there = await context
          .call(id, "membership.handshake", asked, listening)
          .catch(async (error: unknown) => {
            if (errorBody(error).code !== "machine_unreachable") throw error;
            // The request may be stuck behind a packet that is too long for the path: the others know.
            throw await back(peers).then(
              () => error,
              (why: unknown) => (errorBody(why).code === "path_too_narrow" ? why : error),
            );
          });
        await back(peers, there.mtu);
        return there;
      };
      const members = await stillMembers(machines, context);
      try {
        return await shake(members);
      } catch (error) {
        const left = await stillMembers(members, context);
        if (context.signal.aborted || left.length === members.length) throw error;
        return await shake(left);
      }
    },
  },
});

/** A machine may be removed while another one is added: it is not waited for then. */
async function stillMembers(
  machines: readonly string[],
  { ports }: Pick<StepContext<MemberPorts>, "ports">,
): Promise<readonly string[]> {
  const facts = await ports.store.facts.list("machine");
  const records = facts.map(({ value }) => value);
  return machines.filter((id) => records.some((record) => record.id === id && isMember(record)));
}

/** One step for each member that answers; `needs`: what the join then waits for. */
export function planPeers(id: string, { reachable }: MemberFacts, after: readonly string[]) {
  const steps: readonly PlannedStep<PeerKinds>[] = reachable.map((member) => ({
    id: `peer@${member}`,
    kind: "members.await",
    args: { seat: member, reserve: "seat" },
    machine: member,
    title: `add peer ${id} on ${member}`,
    needs: after,
  }));
  return { steps, needs: steps.length > 0 ? steps.map((step) => step.id) : after };
}

export const planHandshake = (id: string, { reachable }: MemberFacts): PlannedStep<PeerKinds> => ({
  id: "handshake",
  kind: "handshake.await",
  args: { id, machines: reachable },
  machine: id,
  title: `handshake of ${id} with ${reachable.join(", ") || "nobody"}`,
  needs: ["join"],
});

export const storeServersOf = ({ machines, storePort }: MemberFacts): readonly string[] =>
  machines.filter(({ record }) => record.store).map(({ record }) => `${record.address}:${storePort}`);

export const basisOf = (facts: MemberFacts): readonly Basis[] => [
  { key: "fact.cluster", revision: facts.clusterRevision },
  ...facts.machines
    .filter(({ record }) => facts.reachable.includes(record.id))
    .map(({ record, revision }) => ({ key: `fact.machine.${record.id}`, revision })),
];

export const warningsOf = (id: string, { machines, reachable }: MemberFacts): readonly string[] =>
  machines
    .filter(({ record }) => isMember(record) && !reachable.includes(record.id))
    .map(({ record }) => `${record.id} is not reachable: it adds peer ${id} when it is back`);

/** The join document: the new machine's seat, and the present members. */
export async function joinDocument(
  record: MachineRecord,
  storeServers: readonly string[],
  { store, releases }: Pick<MemberPorts, "store" | "releases">,
): Promise<{ readonly [key: string]: Json }> {
  const [cluster, machines, releaseKey] = await Promise.all([
    store.facts.get("cluster"),
    store.facts.list("machine"),
    releases.key(),
  ]);
  if (cluster === undefined) throw new Error("the cluster record is gone");
  return {
    v: 1,
    cluster: cluster.value,
    machine: record,
    machines: machines.map((entry) => entry.value),
    storeServers,
    ...(releaseKey !== undefined && { releaseKey }),
  };
}

/** The commit of every way into the cluster: the record that `seat` has reserved turns from `joining` to `active`. */
export function commitSeat({ record, revision }: Reserved): CommitPoint {
  return {
    kind: "fact",
    key: `machine.${record.id}`,
    value: { ...record, state: "active" } satisfies MachineRecord,
    expected: revision,
  };
}

/** The subnet is the one it got, which is not the planned one if another machine was faster. */
export function seatResult(summary: Summary, seat: Reserved | undefined): Json {
  if (seat === undefined) return summary;
  const { subnet, address } = seat.record;
  return { ...summary, subnet, address };
}
