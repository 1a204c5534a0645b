import type { PlannedStep, Primitive, PrimitivePorts } from "../engine/types.ts";
import { emptyCommit, type Instance } from "../model/commit.ts";
import { operationTail } from "../model/ids.ts";
import { checkLabel } from "../model/names.ts";

type Item = { readonly name: string; readonly machine: string; readonly needs: readonly string[] };
type PlaceInput = { readonly namespace: string; readonly items: readonly Item[] };
type Placed = { readonly id: string; readonly machine: string };
type PlaceFacts = {
  readonly placed: readonly Instance[];
  readonly revision: number;
};
type PlaceKinds = {
  readonly reserve: { readonly args: Placed; readonly out: { readonly address: string } };
  readonly release: { readonly args: Placed; readonly out: null };
};

/** How the toy's items stand in a commit. */
export const placed = ({ name, ...at }: Placed & Pick<Instance, "address"> & { name: string }): Instance => ({
  ...at,
  ...{ service: name, slot: 0, ports: {}, revision: "1" },
});

/**
 * The smallest primitive that has everything: it reserves an address for each named item on its machine, commits the set, and
 * releases what the set before it had. For tests of the engine, and as an example of a primitive.
 */
export const place: Primitive<
  PrimitivePorts,
  PlaceInput,
  PlaceFacts,
  PlaceKinds,
  { readonly placed: number }
> = {
  name: "place",
  version: 1,
  parse(input) {
    const given = input as PlaceInput;
    const names = [given.namespace, ...given.items.flatMap(({ name, machine }) => [name, machine])];
    const refusals = names.flatMap((name) => checkLabel("name", name) ?? []);
    return refusals.length === 0 ? { ok: true, input: given } : { ok: false, refusals };
  },
  scope: ({ namespace }) => [`place.${namespace}`],
  async observe({ namespace }, { store }) {
    const last = await store.commits.last(namespace);
    return { placed: last?.value.instances ?? [], revision: last?.revision ?? 0 };
  },
  plan({ namespace, items }, { placed, revision }, operation) {
    if (items.length === 0)
      return { refusals: [{ code: "nothing_to_place", message: "there is nothing to place" }] };
    const wanted = items.map(({ name, machine }) => `${name}@${machine}`).sort();
    const present = placed.map(({ service, machine }) => `${service}@${machine}`).sort();
    const basis = [{ key: `commit.${namespace}`, revision }];
    if (wanted.join() === present.join()) {
      return { basis, prepare: [], settle: [], summary: { items: wanted }, changes: false, warnings: [] };
    }
    const prepare = items.map(({ name, machine, needs }): PlannedStep<PlaceKinds> => {
      const id = `${name}.${operationTail(operation)}`;
      const title = `reserve ${name} on ${machine}`;
      return {
        id: `reserve ${name}`,
        kind: "reserve",
        args: { id, machine },
        machine,
        title,
        needs: needs.map((n) => `reserve ${n}`),
      };
    });
    const settle = placed.map(({ service: name, id, machine }): PlannedStep<PlaceKinds> => {
      const title = `release the old ${name} on ${machine}`;
      return { id: `release ${id}`, kind: "release", args: { id, machine }, machine, title, needs: [] };
    });
    return { basis, prepare, settle, summary: { items: wanted }, changes: true, warnings: [] };
  },
  steps: {
    reserve: {
      timeoutMs: () => 10_000,
      retryTransient: true,
      apply: ({ id, machine }, { call, signal }) =>
        call(machine, "instance.reserve", { id }, { timeoutMs: 5_000, signal }),
      async undo({ id, machine }, { call, signal }) {
        await call(machine, "instance.release", { id }, { timeoutMs: 5_000, signal });
      },
    },
    release: {
      timeoutMs: () => 10_000,
      retryTransient: true,
      apply: ({ id, machine }, { call, signal }) =>
        call(machine, "instance.release", { id }, { timeoutMs: 5_000, signal }),
    },
  },
  commit({ namespace, items }, { revision }, _plan, { operation, at, by, output }) {
    const instances = items.map(({ name, machine }) =>
      placed({
        ...{ name, machine },
        id: `${name}.${operationTail(operation)}`,
        address: output(`reserve ${name}`, "reserve").address,
      }),
    );
    const commit = emptyCommit({ namespace, operation, primitive: "place", at, by });
    return { kind: "namespace", commit: { ...commit, instances }, expected: revision };
  },
  result: ({ items }) => ({ placed: items.length }),
};
