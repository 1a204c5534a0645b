import { type Outcome, register } from "../../engine/deps.ts";
import type { Kinds, Primitive } from "../../engine/types.ts";
import { evacuate } from "../../evacuate/index.ts";
import type { MembershipPorts } from "../../membership/observe.ts";
import type { Json } from "../../model/json.ts";
import type { MachineRecord } from "../../model/machine.ts";
import { type Cluster, createCluster, openProcess } from "../harness/process.ts";
import type { Violation } from "../harness/scenario.ts";
import { type World as ChangeWorld, inspect as inspectChange, worldWithShop } from "./change.ts";

/** Machines with the shop of change/scenario on them, for tests of primitives that change membership. */
export type World = ChangeWorld & { readonly ports: MembershipPorts; readonly cluster: Cluster };

export async function shopOn(machines: readonly string[]): Promise<World> {
  const world = await worldWithShop(machines);
  // The process that runs an operation has a port of its own.
  const operations: MembershipPorts["operations"] = {
    run: () => Promise.reject(new Error("run it in a process")),
    clear: () => Promise.reject(new Error("run it in a process")),
  };
  const primitives = new Map([
    ...world.primitives,
    [evacuate.name, register(evacuate, world.ports)] as const,
  ]);
  const cluster = createCluster(world.clock);
  for (let n = 0; n < 500; n++) cluster.newOperationId(); // others than a harness gives to what it runs in this world
  return { ...world, primitives, ports: { ...world.ports, operations }, cluster };
}

export function apply<In extends Json, F, K extends Kinds, R extends Json>(
  world: World,
  primitive: Primitive<MembershipPorts, In, F, K, R>,
  input: unknown,
): Promise<Outcome | "crashed" | "stuck"> {
  return openProcess(world, world.cluster, { primitive, input, machine: "m1" }).run();
}

export async function stateOf({ ports }: World, id: string): Promise<MachineRecord["state"] | undefined> {
  const record = (await ports.store.facts.get(`machine.${id}`))?.value;
  return record?.state;
}

/**
 * A runner that slept through its lease may have opened the journal of an evacuation, and nothing else: the next change of that namespace
 * ends it, and the change of the machine had none left to do.
 */
export const serious = (found: readonly Violation[]): readonly Violation[] =>
  found.filter(
    ({ check, message }) =>
      check !== "run after pause" || !/^left behind: operation \S+ running$/.test(message),
  );

/** Running and committed instances, and the cluster's machines. */
export async function inspect(world: World): Promise<Json> {
  const facts = await world.ports.store.facts.list("");
  return {
    ...((await inspectChange(world)) as { readonly [key: string]: Json }),
    machines: facts.flatMap(({ key, value }) => {
      const { state } = value as { readonly state?: string };
      return key.startsWith("machine.") || key.startsWith("removed.") ? [`${key} ${state ?? ""}`] : [];
    }),
  };
}
