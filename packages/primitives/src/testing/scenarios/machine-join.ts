import { machineJoin } from "../../machine-join/index.ts";
import type { JoiningMachine, MachineJoinInput } from "../../machine-join/input.ts";
import type { MachineJoinPorts } from "../../machine-join/observe.ts";
import type { Invite } from "../../model/invite.ts";
import type { Json } from "../../model/json.ts";
import type { Store } from "../../ports/store.ts";
import { createVirtualClock, type VirtualClock } from "../clock.ts";
import { createMemoryJoiner, type MemoryJoiner } from "../memory-joiner.ts";
import { createMemoryMachines, type MemoryMachines } from "../memory-machines.ts";
import { createMemoryStore } from "../memory-store.ts";
import { CLUSTER, memberRecord, NO_KEY } from "./machine-add.ts";

export interface JoinWorld {
  readonly clock: VirtualClock;
  readonly ports: MachineJoinPorts & {
    readonly store: Store;
    readonly machines: MemoryMachines;
    readonly joiner: MemoryJoiner;
  };
}

const DAY = 86_400_000;
export const OPEN = "00000000000000aa";
export const SECOND = "00000000000000bb";

export function invite(id: string, now: number, more: Partial<Invite> = {}): Invite {
  return {
    ...{ id, secretHash: "00".repeat(32), inviter: "m1", by: "root@m1" },
    ...{ createdAt: now, expiresAt: now + DAY },
    ...more,
  };
}

/** A machine that wants in: keys of the right form made of one letter. */
export function joining(letter: string, hostname: string): JoiningMachine {
  return {
    ...{ publicKey: `${letter.repeat(42)}A=`, nkey: `U${letter.repeat(55)}` },
    ...{ endpoints: ["198.51.100.10:51820"], hostname, runtime: "process", version: "1.0.0" },
    routes: ["192.0.2.0/24"],
  };
}

export const inputOf = (letter = "A", hostname = "a.example.test", id = OPEN): MachineJoinInput => ({
  invite: id,
  self: joining(letter, hostname),
});

const place = (index: number) =>
  index > 254 ? undefined : { subnet: `10.101.${index}.0/24`, address: `10.101.${index}.1` };

/** A cluster of m1 (store) and m2, two open invites, and machines A and B that wait for an answer. */
export async function joinWorld(prepare: (world: JoinWorld) => unknown = () => {}): Promise<JoinWorld> {
  const clock = createVirtualClock();
  const store = createMemoryStore({ clock });
  await store.facts.put("cluster", CLUSTER, 0);
  for (const [i, id] of ["m1", "m2"].entries()) {
    await store.facts.put(`machine.${id}`, memberRecord(id, i + 1), 0);
    await store.facts.put(`subnet.${i + 1}`, { machine: id, operation: "founding" }, 0);
  }
  for (const id of [OPEN, SECOND]) await store.facts.put(`invite.${id}`, invite(id, clock.now()), 0);
  const machines = createMemoryMachines({ clock, machines: ["m1", "m2"], facts: store.facts });
  const joiner = createMemoryJoiner(machines);
  for (const letter of ["A", "B"]) joiner.add(joining(letter, "").publicKey);
  const world: JoinWorld = {
    clock,
    ports: {
      store,
      machines,
      joiner,
      storePort: 4222,
      releases: NO_KEY,
      subnets: () => place,
      now: () => clock.now(),
    },
  };
  await prepare(world);
  return world;
}

/** What stands in the cluster and on the machines that asked. */
export async function inspectJoin({ ports }: JoinWorld): Promise<Json> {
  const { facts } = ports.store;
  const [machines, subnets, invites] = await Promise.all([
    facts.list("machine"),
    facts.list("subnet"),
    facts.list("invite"),
  ]);
  return {
    machines: machines.map(({ value }) => {
      const { id, state, index, subnet } = value;
      return `${id} ${state} ${index} ${subnet}`;
    }),
    subnets: subnets.map(({ key, value }) => `${key} ${value.machine}`),
    invites: invites.map(({ key, value }) => `${key} ${value.used?.machine ?? "open"}`),
    answering: ports.machines.all.filter(({ reachable }) => reachable).map(({ id }) => id),
    joined: [...ports.joiner.waiting.values()].map(
      ({ publicKey, membership }) => `${publicKey[0]} ${membership?.machine ?? "-"}`,
    ),
  };
}

export const joinScenario = (prepare?: (world: JoinWorld) => unknown) => ({
  primitive: machineJoin,
  input: inputOf(),
  world: () => joinWorld(prepare),
  inspect: inspectJoin,
});
