import type { PrimitivePorts } from "../engine/types.ts";
import { PloyzError } from "../error-codes.ts";
import { type ClusterRecord, isMember, type MachineRecord } from "../model/machine.ts";
import type { Releases } from "../ports/releases.ts";
import type { Remote, RemoteFacts } from "../ports/remote.ts";
import type { Fact } from "../ports/store.ts";
import type { MachineAddInput } from "./input.ts";

/** What making a machine a member takes, however the machine is reached. */
export interface MemberPorts extends PrimitivePorts {
  readonly storePort: number;
  readonly releases: Pick<Releases, "key">;
  /** The cluster's address plan: what machine number `index` (from 1) has. */
  subnets(cluster: ClusterRecord): SubnetPlan | Promise<SubnetPlan>;
}

/** Ports of `machine-add`: SSH too, and the plan of subnets. */
export interface MachineAddPorts extends MemberPorts {
  readonly remote: Remote;
  readonly releases: Releases;
  /** What this daemon runs, and so what the target gets. */
  readonly payload: { readonly version: string; readonly build: string; readonly arch: string };
}

/** `undefined`: beyond the cluster's range. */
export type SubnetPlan = (index: number) => { readonly subnet: string; readonly address: string } | undefined;

export interface MemberFacts {
  readonly cluster: ClusterRecord;
  readonly clusterRevision: number;
  readonly machines: readonly { readonly record: MachineRecord; readonly revision: number }[];
  readonly takenIndexes: ReadonlySet<number>;
  readonly reachable: readonly string[];
  readonly plan: SubnetPlan;
  readonly storePort: number;
}

export interface MachineAddFacts extends MemberFacts {
  readonly remote: RemoteFacts;
  readonly payload: { readonly version: string; readonly build: string; readonly arch: string };
  /** Whose release key did not sign this payload: this machine's, or the target's. */
  readonly unsigned: readonly ("here" | "there")[];
  /** The dataset for volumes of the target, where it is a member that answers. */
  readonly zfsRoot?: string;
}

/** Looks at the target over SSH, then reads membership from the store and asks every member whether it is there. */
export async function observe(
  input: MachineAddInput,
  ports: MachineAddPorts,
  signal: AbortSignal,
): Promise<MachineAddFacts> {
  // The target first: a membership seen there that has no record afterwards is unfinished for certain, not one that was just made.
  const remote = await ports.remote.facts(input.target, signal);
  const members = await observeMembers(ports, signal);
  const { ployz } = remote;
  const present = ployz?.cluster === members.cluster.id ? ployz.machine : undefined;
  const zfsRoot = present === undefined || input.zfsRoot === undefined ? undefined : await rootOf(present);
  const { releases, payload } = ports;
  const unsigned = async (key: string | undefined) => key !== undefined && !(await releases.signedBy(key));
  const here = await unsigned(await releases.key());
  const there = ployz?.build !== payload.build && (await unsigned(remote.releaseKey));
  return {
    ...{ ...members, remote, payload },
    unsigned: [...(here ? ["here" as const] : []), ...(there ? ["there" as const] : [])],
    ...(zfsRoot !== undefined && { zfsRoot }),
  };

  async function rootOf(machine: string): Promise<string | undefined> {
    const seen = await ports.machines
      .call(machine, "machine.observe", { namespaces: [] }, { timeoutMs: 5_000, signal })
      .catch(() => undefined);
    return seen?.storage?.root;
  }
}

/** Membership as the store has it, and who of it answers. */
export async function observeMembers(ports: MemberPorts, signal: AbortSignal): Promise<MemberFacts> {
  const [cluster, entries, subnets] = await Promise.all([
    ports.store.facts.get("cluster"),
    ports.store.facts.list("machine"),
    ports.store.facts.list("subnet"),
  ]);
  if (cluster === undefined) {
    throw new PloyzError({
      code: "not_a_member",
      message: "this machine is in no cluster",
      hint: "ployzctl mesh init NAME",
    });
  }
  const record = cluster.value;
  const machines = entries.map(({ value, revision }) => ({ record: value, revision }));
  const answers = await Promise.all(
    machines
      .filter((machine) => isMember(machine.record))
      .map(async ({ record: { id } }) => {
        const there = await ports.machines
          .call(id, "operation.running", { operation: "none" }, { timeoutMs: 2_000, signal })
          .then(
            () => true,
            () => false,
          );
        return there ? [id] : [];
      }),
  );
  return {
    cluster: record,
    clusterRevision: cluster.revision,
    machines,
    takenIndexes: takenIndexes(entries, subnets),
    reachable: answers.flat(),
    plan: await ports.subnets(record),
    storePort: ports.storePort,
  };
}

/** Indexes that a `machine.<id>` or a `subnet.<index>` fact holds. */
export function takenIndexes(
  machines: readonly Fact<"machine">[],
  subnets: readonly Fact<"subnet">[],
): ReadonlySet<number> {
  return new Set([
    ...machines.map(({ value }) => value.index),
    ...subnets.map(({ key }) => Number(key.split(".")[1])),
  ]);
}
