import { deployPrimitive } from "../deploy/index.ts";
import { hashJson } from "../engine/canonical.ts";
import {
  type EngineDeps,
  type Outcome,
  type PrimitiveRegistry,
  type RunMode,
  type RunRequest,
  register,
} from "../engine/deps.ts";
import { runOperation } from "../engine/run.ts";
import type { Kinds, Primitive, PrimitivePorts, Summary } from "../engine/types.ts";
import type { Commit } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { Machines } from "../ports/machines.ts";
import type { Store } from "../ports/store.ts";
import { checkedStore } from "../records/store.ts";
import { memoryDeps } from "./bench.ts";
import { createVirtualClock, type VirtualClock } from "./clock.ts";
import { createMemoryMachines, type MemoryMachines, type MemoryMachinesOptions } from "./memory-machines.ts";
import { createRawStore } from "./memory-store.ts";

/** A cluster in memory; every field may be left out. */
export interface MemoryClusterOptions {
  /** Ids; default `m1` to `m3`. Number n (from 1) has the subnet 10.101.n.0/24. Each has a pool for volumes; `machine(id)` changes that. */
  readonly machines?: readonly string[];
  /** `docker` runs images, `process` bundles; default: `docker` when there are images. */
  readonly runtime?: "docker" | "process";
  /** Images that any machine can pull, by reference: `shop/web:1`. */
  readonly images?: readonly string[];
  /** Digests of bundles of host processes, uploaded to every machine. */
  readonly bundles?: readonly string[];
  /** How instances behave; default: ready at once, jobs succeed. */
  readonly behaviour?: MemoryMachinesOptions["behaviour"];
}

/** Members that run workloads in memory, a store, and the engine over both. */
export interface MemoryCluster {
  readonly clock: VirtualClock;
  readonly ports: { readonly store: Store; readonly machines: Machines };
  /** The same machines, to read and change: what runs on them, their copies of volumes. */
  readonly machines: MemoryMachines;
  /** The same store, unchecked: for tests that write records which a daemon would not. */
  readonly raw: ReturnType<typeof createRawStore>;
  /** Primitives whose interrupted operations the next one resolves; `deploy` is in it. */
  readonly primitives: PrimitiveRegistry;
  /** For `runOperation`, with events that are kept. */
  deps(over?: Partial<EngineDeps>): ReturnType<typeof memoryDeps<PrimitivePorts>>;
  /** `runOperation` by the daemon of the first machine. */
  run<In extends Json, Facts, K extends Kinds, R extends Json, S extends Summary, Sent, M extends RunMode>(
    primitive: Primitive<PrimitivePorts, In, Facts, K, R, S, Sent>,
    request: RunRequest<NoInfer<Sent>, M>,
  ): Promise<Outcome<R, Omit<S, "next">, M>>;
  /** The present state of a namespace. Throws when nothing was committed for it. */
  commit(namespace: string): Promise<Commit>;
}

/** Makes a cluster of active members. No process, no disk and no network are touched, and time is virtual. */
export async function createMemoryCluster(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  const { machines: ids = ["m1", "m2", "m3"], images = [], bundles = [], behaviour } = options;
  const { runtime = images.length > 0 ? "docker" : "process" } = options;
  const clock = createVirtualClock();
  const raw = createRawStore({ clock });
  const store = checkedStore(raw);
  const registry = new Map(
    images.map((ref) => [ref, { digest: `sha256:${hashJson(ref)}`, sizeBytes: 1_000_000 }]),
  );
  const machines = createMemoryMachines({
    ...{ clock, machines: ids, registry, facts: store.facts },
    ...(behaviour && { behaviour }),
  });
  for (const [index, id] of ids.entries()) {
    const machine = machines.machine(id);
    machine.runtime = runtime;
    for (const digest of bundles) machine.bundles.add(digest);
    await store.facts.put(`machine.${id}`, { ...member(id, index + 1), runtime }, 0);
  }
  const ports = { store, machines };
  const primitives = new Map([[deployPrimitive.name, register(deployPrimitive, ports)]]);
  const [first = "m1"] = ids;
  const self = { machine: first, by: `root@${first}` };
  const deps = (over: Partial<EngineDeps> = {}) =>
    memoryDeps({ clock, ports }, { self, primitives, ...over });
  return {
    ...{ clock, ports, machines, raw, primitives, deps },
    run: (primitive, request) => runOperation(primitive, request, deps()),
    async commit(namespace) {
      const last = await store.commits.last(namespace);
      if (last === undefined) throw new Error(`nothing is committed for ${namespace}`);
      return last.value;
    },
  };
}

const member = (id: string, index: number): MachineRecord => ({
  ...{ id, index, state: "active", publicKey: "", endpoints: [], nkey: "" },
  address: `10.101.${index}.1`,
  subnet: `10.101.${index}.0/24`,
  ...{ store: false, runtime: "process", version: "0", operation: "" },
});
