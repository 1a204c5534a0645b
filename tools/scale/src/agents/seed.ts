import { createIdentity, initStore, openStore, type StoreUser } from "@ployz/nats-store";
import { openRecords } from "@ployz/ployzd/parts";
import type { ClusterRecord, MachineRecord } from "@ployz/primitives/protocol";
import type { MemoryCluster } from "@ployz/primitives/testing";
import type { AssignedAgent } from "./protocol.ts";

export const CLUSTER: ClusterRecord = {
  name: "scale",
  id: "scale",
  clusterCidr: "10.101.0.0/16",
  subnetPrefixLength: 24,
  generation: 1,
  isolation: "on",
};

/** Followers of each such machine do their work of each commit; see `AgentOptions.projects`. */
const PROJECTING = 10;

/** The members of a cluster in memory as agents. The first three machines have the store. */
export async function agentsOf(world: MemoryCluster): Promise<readonly AssignedAgent[]> {
  const records = (await world.ports.store.facts.list("machine")).map(({ value }) => value);
  return records
    .toSorted((a, b) => a.index - b.index)
    .map((record, index) => {
      const identity = createIdentity();
      const instances = [...world.machines.machine(record.id).instances.values()].map(({ start }) => start);
      const keys = { publicKey: `key of ${record.id}`, nkey: identity.publicKey };
      return {
        record: { ...record, ...keys, store: index < 3 },
        seed: identity.seed,
        projects: index % PROJECTING === 0,
        instances,
      };
    });
}

export const usersOf = (agents: readonly AssignedAgent[]): readonly StoreUser[] =>
  agents.map(({ record }) => ({
    machine: record.id,
    publicKey: record.nkey,
    role: record.store ? ("store" as const) : ("machine" as const),
  }));

/** Writes what the cluster in memory has into the store. */
export async function seedStore(
  world: MemoryCluster,
  servers: readonly string[],
  agents: readonly AssignedAgent[],
): Promise<void> {
  const [first] = agents;
  if (first === undefined) throw new Error("no agents");
  const machine = first.record.id;
  const nats = openStore({ servers, nkeySeed: first.seed, cluster: CLUSTER.id, machine, generation: 1 });
  try {
    await initStore(nats.session, { replicas: servers.length });
    const { store } = openRecords(nats, () => {});
    await store.facts.put("cluster", CLUSTER, 0);
    const members: readonly MachineRecord[] = agents.map(({ record }) => record);
    for (const record of members) await store.facts.put(`machine.${record.id}`, record, 0);
    for (const { value } of await world.ports.store.commits.heads()) await store.commits.append(value, 0);
  } finally {
    await nats.close();
  }
}
