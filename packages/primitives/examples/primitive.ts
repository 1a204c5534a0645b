import { type PlannedStep, type Primitive, type PrimitivePorts, runOperation } from "@ployz/primitives";
import { emptyCommit } from "@ployz/primitives/protocol";
import {
  createMemoryMachines,
  createMemoryStore,
  createVirtualClock,
  memoryDeps,
} from "@ployz/primitives/testing";

type Input = { readonly name: string; readonly machines: readonly string[] };
type Facts = { readonly revision: number };
type Kinds = { reserve: { args: { id: string; machine: string }; out: { address: string } } };

/** Reserves an address with one name on several machines, and commits where they are. */
const spread: Primitive<PrimitivePorts, Input, Facts, Kinds, string> = {
  name: "spread",
  version: 1,
  parse: (input) => ({ ok: true, input: input as Input }),
  scope: ({ name }) => [`spread.${name}`],
  observe: async ({ name }, { store }) => ({ revision: (await store.commits.last(name))?.revision ?? 0 }),
  plan({ name, machines }, { revision }) {
    if (machines.length === 0) return { refusals: [{ code: "no_machines", message: "name a machine" }] };
    return {
      basis: [{ key: `commit.${name}`, revision }],
      prepare: machines.map(
        (machine): PlannedStep<Kinds> => ({
          id: `reserve on ${machine}`,
          kind: "reserve",
          args: { id: name, machine },
          machine,
          title: `reserve ${name} on ${machine}`,
          needs: [],
        }),
      ),
      settle: [],
      summary: { machines },
      changes: true,
      warnings: [],
    };
  },
  steps: {
    reserve: {
      timeoutMs: () => 10_000,
      retryTransient: true,
      apply: ({ id, machine }, { call, signal }) =>
        call(machine, "instance.reserve", { id }, { timeoutMs: 5_000, signal }),
      undo: async ({ id, machine }, { call, signal }) => {
        await call(machine, "instance.release", { id }, { timeoutMs: 5_000, signal });
      },
    },
  },
  commit: ({ name, machines }, { revision }, _plan, { operation, at, by, output }) => ({
    kind: "namespace",
    commit: {
      ...emptyCommit({ namespace: name, operation, primitive: "spread", at, by }),
      instances: machines.map((machine, slot) => ({
        ...{ id: `${name}.${slot}`, service: name, slot, machine, ports: {}, revision: "1" },
        ...output(`reserve on ${machine}`, "reserve"),
      })),
    },
    expected: revision,
  }),
  result: ({ name, machines }) => `${name} is on ${machines.join(" and ")}`,
};

const clock = createVirtualClock();
const machines = createMemoryMachines({ clock, machines: ["m1", "m2"] });
const ports = { store: createMemoryStore({ clock }), machines };
const run = (names: readonly string[]) =>
  runOperation(
    spread,
    { input: { name: "db", machines: names }, mode: "apply" },
    memoryDeps({ clock, ports }),
  );

// m2 refuses while it drains: the operation fails, and the reservation on m1 is released.
machines.machine("m2").draining = true;
export const failed = await run(["m1", "m2"]);
export const leftOnM1 = machines.machine("m1").reservations.size;
machines.machine("m2").draining = false;
export const done = await run(["m1", "m2"]);
