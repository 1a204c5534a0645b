import type { EngineDeps } from "../engine/deps.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import type { OperationEvent } from "../model/operation.ts";
import type { VirtualClock } from "./clock.ts";
import { type Cluster, createCluster } from "./harness/process.ts";

/** One source of operation ids per world, or two runs in it would share an id. */
const clusters = new WeakMap<VirtualClock, Cluster>();

function clusterOf(clock: VirtualClock): Cluster {
  const cluster = clusters.get(clock) ?? createCluster(clock);
  clusters.set(clock, cluster);
  return cluster;
}

/** Dependencies of one run over ports in memory, with its events kept. For tests that set up one situation by hand. */
export function memoryDeps<Ports extends PrimitivePorts>(
  world: { readonly clock: VirtualClock; readonly ports: Ports },
  over: Partial<EngineDeps<Ports>> = {},
): EngineDeps<Ports> & { readonly events: OperationEvent[] } {
  const events: OperationEvent[] = [];
  return {
    ports: world.ports,
    clock: world.clock,
    ids: clusterOf(world.clock),
    self: { machine: "coordinator-1", by: "root@coordinator-1" },
    generation: () => 1,
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    ...over,
    events,
  };
}
