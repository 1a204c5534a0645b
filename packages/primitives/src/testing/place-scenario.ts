import { asJson } from "../engine/canonical.ts";
import { emptyCommit } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import type { Store } from "../ports/store.ts";
import { createVirtualClock, type VirtualClock } from "./clock.ts";
import { createMemoryMachines, type MemoryMachines } from "./memory-machines.ts";
import { createMemoryStore } from "./memory-store.ts";
import { place, placed } from "./toy.ts";

export interface PlaceWorld {
  readonly clock: VirtualClock;
  readonly ports: { readonly store: Store; readonly machines: MemoryMachines };
}

const EMPTY = emptyCommit({ namespace: "prod", operation: "", primitive: "place", at: "", by: "" });

const ITEMS = [
  { name: "a", machine: "m1", needs: [] },
  { name: "b", machine: "m2", needs: [] },
  { name: "c", machine: "m1", needs: ["a", "b"] },
];

/** The toy primitive over two machines; it replaces one item that an earlier operation placed. */
export function placeScenario(
  items: readonly { name: string; machine: string; needs: readonly string[] }[] = ITEMS,
) {
  return {
    primitive: place,
    input: { namespace: "prod", items },
    /** A fresh world, the same every time. */
    async world(): Promise<PlaceWorld> {
      const clock = createVirtualClock();
      const machines = createMemoryMachines({ clock, machines: ["m1", "m2"] });
      const store = createMemoryStore({ clock });
      machines.machine("m2").reservations.set("old.00000000", "10.101.2.9");
      const old = placed({ name: "old", id: "old.00000000", machine: "m2", address: "10.101.2.9" });
      await store.commits.append({ ...EMPTY, operation: "0", instances: [old] }, 0);
      return { clock, ports: { store, machines } };
    },
    /** Everything reserved and committed. */
    async inspect({ ports }: PlaceWorld): Promise<Json> {
      const reserved = ports.machines.all.map(({ id, reservations }) => [
        id,
        [...reservations.keys()].map((key) => key.split(".")[0] ?? "").sort(),
      ]);
      const last = await ports.store.commits.last("prod");
      const instances = last?.value.instances ?? [];
      const present = new Set(ports.machines.all.flatMap(({ reservations }) => [...reservations.keys()]));
      const missing = instances.filter(({ id }) => !present.has(id)).map(({ service }) => service);
      return asJson({ reserved, missing, placed: instances.map(({ service }) => service).sort() });
    },
  };
}
