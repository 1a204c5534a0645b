import { machineAdd } from "../../machine-add/index.ts";
import type { MachineAddPorts } from "../../machine-add/observe.ts";
import type { Json } from "../../model/json.ts";
import type { ClusterRecord, MachineRecord } from "../../model/machine.ts";
import type { Store } from "../../ports/store.ts";
import { createVirtualClock, type VirtualClock } from "../clock.ts";
import { createMemoryMachines, type MemoryMachines } from "../memory-machines.ts";
import { createMemoryRemote, type MemoryRemote } from "../memory-remote.ts";
import { createMemoryStore } from "../memory-store.ts";

export interface AddWorld {
  readonly clock: VirtualClock;
  readonly ports: MachineAddPorts & {
    readonly store: Store;
    readonly machines: MemoryMachines;
    readonly remote: MemoryRemote;
  };
}

export const PAYLOAD = { version: "1.0.0", build: "build-1", arch: "x64" };
export const CLUSTER: ClusterRecord = {
  name: "prod",
  id: "prod-1",
  clusterCidr: "10.101.0.0/16",
  subnetPrefixLength: 24,
  generation: 1,
};

/** A machine without a release key, whose own build no key signed. */
export const NO_KEY = { key: async () => undefined, signedBy: async () => false };

const place = (index: number) =>
  index > 254 ? undefined : { subnet: `10.101.${index}.0/24`, address: `10.101.${index}.1` };

export function memberRecord(id: string, index: number, more: Partial<MachineRecord> = {}): MachineRecord {
  return {
    ...{ id, index, state: "active", runtime: "process", version: "1.0.0", operation: "founding" },
    ...{ publicKey: `key of ${id}`, nkey: `nkey of ${id}`, endpoints: [`203.0.113.${index}:51820`] },
    ...{ subnet: `10.101.${index}.0/24`, address: `10.101.${index}.1`, store: index === 1 },
    ...more,
  };
}

/** A cluster of m1 (store) and m2, and bare machines that SSH reaches: `a` at .10, `b` at .11. */
export async function addWorld(prepare: (world: AddWorld) => unknown = () => {}): Promise<AddWorld> {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  await store.facts.put("cluster", CLUSTER, 0);
  for (const [i, id] of ["m1", "m2"].entries()) {
    await store.facts.put(`machine.${id}`, memberRecord(id, i + 1), 0);
    await store.facts.put(`subnet.${i + 1}`, { machine: id, operation: "founding" }, 0);
  }
  const machines = createMemoryMachines({ clock, machines: ["m1", "m2"], facts: store.facts });
  const remote = createMemoryRemote({ machines, needs: ["haproxy", "iproute2"], payload: PAYLOAD });
  remote.add("198.51.100.10", "a.example.test");
  remote.add("198.51.100.11", "b.example.test");
  const world = {
    clock,
    ports: {
      store,
      machines,
      remote,
      payload: PAYLOAD,
      storePort: 4222,
      releases: NO_KEY,
      subnets: () => place,
    },
  };
  await prepare(world);
  return world;
}

/** What stands in the cluster and on the targets. Packages are not in it: like images, they stay. */
export async function inspectAdd({ ports }: AddWorld): Promise<Json> {
  const { facts } = ports.store;
  const [machines, subnets] = await Promise.all([facts.list("machine"), facts.list("subnet")]);
  return {
    machines: machines.map(({ value }) => {
      const { id, state, index, subnet } = value;
      return `${id} ${state} ${index} ${subnet}`;
    }),
    subnets: subnets.map(({ key, value }) => `${key} ${value.machine}`),
    answering: ports.machines.all.filter(({ reachable }) => reachable).map(({ id }) => id),
    targets: [...ports.remote.targets.values()].map(({ host, payload, daemon, membership }) =>
      [
        host,
        payload === undefined ? "bare" : "payload",
        daemon ? "daemon" : "none",
        membership?.machine ?? "-",
      ].join(" "),
    ),
  };
}

export const addScenario = (prepare?: (world: AddWorld) => unknown) => ({
  primitive: machineAdd,
  input: { target: "root@198.51.100.10" },
  world: () => addWorld(prepare),
  inspect: inspectAdd,
});
