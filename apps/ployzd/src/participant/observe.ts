import { loadavg } from "node:os";
import type { MachineObservation } from "@ployz/primitives";
import type { Runtime } from "@ployz/runtime";
import { takenPorts } from "../mesh/ports.ts";
import { observed } from "./labels.ts";

export interface ObserveWorld {
  readonly runtime: Runtime;
  readonly self: string;
  readonly version: string;
  /** Takes nothing new. */
  readonly draining: boolean;
  /** What the gateway listens on; `0.0.0.0` is every address. */
  readonly gatewayAddress: string;
}

/** A live look at this machine. */
export async function observeMachine(
  world: ObserveWorld,
  namespaces: readonly string[] | undefined,
): Promise<MachineObservation> {
  const [facts, list, tcpPorts] = await Promise.all([
    world.runtime.facts(),
    world.runtime.list(),
    takenPorts("tcp", world.gatewayAddress),
  ]);
  return {
    machine: world.self,
    version: world.version,
    runtime: facts.kind,
    runtimeVersion: facts.version,
    arch: facts.arch,
    cpus: facts.cpus,
    memoryBytes: facts.memoryBytes,
    memoryFreeBytes: facts.memoryFreeBytes,
    diskFreeBytes: facts.diskFreeBytes,
    draining: world.draining,
    volumes: [],
    load1: loadavg()[0] ?? 0,
    tcpPorts,
    instances: list.flatMap((status) => {
      const instance = observed(status);
      return instance !== undefined && (namespaces === undefined || namespaces.includes(instance.namespace))
        ? [instance]
        : [];
    }),
    problems: facts.limits ? [] : ["resource limits are not enforced here"],
  };
}
