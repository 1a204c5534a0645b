import { machineUpdate } from "../../machine-update/index.ts";
import type { MachineUpdatePorts } from "../../machine-update/observe.ts";
import type { Json } from "../../model/json.ts";
import type { Store } from "../../ports/store.ts";
import { createVirtualClock, type VirtualClock } from "../clock.ts";
import { createMemoryMachines, type MemoryMachines } from "../memory-machines.ts";
import { createMemoryStore } from "../memory-store.ts";
import { memberRecord } from "./machine-add.ts";

export interface UpdateWorld {
  readonly clock: VirtualClock;
  readonly ports: MachineUpdatePorts & { readonly store: Store; readonly machines: MemoryMachines };
}

export const NEW = "build-2";
export const OLD = "build-1";

/** m1 has the new build and is asked; m2 and m3 have the old one. */
export async function updateWorld(prepare: (world: UpdateWorld) => unknown = () => {}): Promise<UpdateWorld> {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  const ids = ["m1", "m2", "m3"];
  const machines = createMemoryMachines({ clock, machines: ids, facts: store.facts });
  for (const [i, id] of ids.entries()) {
    const build = id === "m1" ? NEW : OLD;
    const version = build.replace("build", "version");
    await store.facts.put(`machine.${id}`, memberRecord(id, i + 1, { version }), 0);
    const machine = machines.machine(id);
    machine.build = build;
    machine.builds.clear();
    machine.builds.set(build, undefined);
  }
  const source = {
    machine: "m1",
    signedBy: async (key: string) => key === "key of m1",
    look: async () => {
      const look = { timeoutMs: 1_000, signal: new AbortController().signal };
      return { ...(await machines.call("m1", "update.look", {}, look)), neededBytes: 2 ** 20 };
    },
  };
  const world = { clock, ports: { store, machines, source } };
  await prepare(world);
  return world;
}

/** Versions on record, and what runs and lies on each machine. */
export async function inspectUpdate({ ports }: UpdateWorld): Promise<Json> {
  const records = await ports.store.facts.list("machine");
  return {
    records: records.map(({ value }) => {
      const { id, version } = value;
      return `${id} ${version}`;
    }),
    machines: ports.machines.all.map(
      ({ id, build, builds }) => `${id} runs ${build}, has ${[...builds.keys()].sort().join(" ")}`,
    ),
  };
}

export const updateScenario = (prepare?: (world: UpdateWorld) => unknown) => ({
  primitive: machineUpdate,
  input: { machine: "m2" },
  world: () => updateWorld(prepare),
  inspect: inspectUpdate,
});
