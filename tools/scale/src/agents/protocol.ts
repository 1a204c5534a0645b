import type { ClusterRecord, InstanceStart, MachineRecord } from "@ployz/primitives/protocol";
import type { MemoryMachines } from "@ployz/primitives/testing";

/** The file that a process of agents reads. */
export interface Assignment {
  readonly dir: string;
  readonly cluster: ClusterRecord;
  readonly members: readonly MachineRecord[];
  readonly servers: readonly string[];
  readonly agents: readonly AssignedAgent[];
}

export interface AssignedAgent {
  readonly record: MachineRecord;
  readonly seed: string;
  readonly projects: boolean;
  /** What runs there already. */
  readonly instances: readonly InstanceStart[];
}

/** What it tells, one line of JSON each. Times are milliseconds since the epoch. */
export type Told =
  | { readonly type: "synced"; readonly machine: string; readonly at: number }
  | {
      readonly type: "applied";
      readonly machine: string;
      readonly what: "daemon" | "gateway" | "dns";
      readonly namespace: string;
      readonly revision: number;
      readonly at: number;
    }
  | { readonly type: "usage"; readonly agents: number; readonly rssBytes: number; readonly cpuMs: number };

/** Finer than `Date.now`, and the same clock in every process. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

/** Kernels of these machines with their instances running. */
export function fillKernels(kernels: MemoryMachines, agents: readonly AssignedAgent[]): void {
  const startedAt = new Date().toISOString();
  for (const { record, instances } of agents) {
    const kernel = kernels.machine(record.id);
    for (const start of instances) {
      kernel.reservations.set(start.id, start.address);
      kernel.instances.set(start.id, { start, state: "running", startedAt });
    }
  }
}
