import type { PrimitivePorts } from "../engine/types.ts";
import { PloyzError } from "../model/error.ts";
import type { ClusterRecord, MachineRecord } from "../model/machine.ts";
import type { Remote, RemoteFacts } from "../ports/remote.ts";
import type { MachineAddInput } from "./input.ts";

export interface MachineAddPorts extends PrimitivePorts {
  readonly remote: Remote;
  /** What this daemon runs, and so what the target gets. */
  readonly payload: { readonly version: string; readonly build: string };
  readonly storePort: number;
  /** The `count` subnets from index `first`, by the cluster's address plan; fewer when the range is used up. */
  subnets(
    cluster: ClusterRecord,
  ): (index: number) => { readonly subnet: string; readonly address: string } | undefined;
}

export interface MachineAddFacts {
  readonly cluster: ClusterRecord;
  readonly clusterRevision: number;
  readonly machines: readonly { readonly record: MachineRecord; readonly revision: number }[];
  readonly takenIndexes: ReadonlySet<number>;
  readonly reachable: readonly string[];
  readonly remote: RemoteFacts;
  readonly payload: { readonly version: string; readonly build: string };
  readonly plan: (index: number) => { readonly subnet: string; readonly address: string } | undefined;
  readonly storePort: number;
}

/** Reads membership from the store, asks every member whether it is there, and looks at the target over SSH, all at once. */
export async function observe(
  input: MachineAddInput,
  ports: MachineAddPorts,
  signal: AbortSignal,
): Promise<MachineAddFacts> {
  const [cluster, entries, subnets, remote] = await Promise.all([
    ports.store.facts.get("cluster"),
    ports.store.facts.list("machine"),
    ports.store.facts.list("subnet"),
    ports.remote.facts(input.target, signal),
  ]);
  if (cluster === undefined) {
    throw new PloyzError({
      code: "not_a_member",
      message: "this machine is in no cluster",
      hint: "ployzctl mesh init NAME",
    });
  }
  const record = cluster.value as unknown as ClusterRecord;
  const machines = entries.map((entry) => ({
    record: entry.value as unknown as MachineRecord,
    revision: entry.revision,
  }));
  const answers = await Promise.all(
    machines
      .filter((machine) => machine.record.state === "active")
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
    takenIndexes: new Set([
      ...machines.map((machine) => machine.record.index),
      ...subnets.map((entry) => Number(entry.key.split(".")[1])),
    ]),
    reachable: answers.flat(),
    remote,
    payload: ports.payload,
    plan: ports.subnets(record),
    storePort: ports.storePort,
  };
}
