import {
  branch,
  deployPrimitive,
  type MachineAddPorts,
  type MachineJoinPorts,
  machineAdd,
  machineJoin,
  migrate,
  namespaceRm,
  type PrimitiveRegistry,
  promote,
  register,
  rollback,
  volumeCreate,
  volumeFork,
  volumeRestore,
  volumeRm,
} from "@ployz/primitives";

/** Every primitive that this daemon runs, each with its ports. */
export function primitivesOf({
  store,
  machines,
  ...rest
}: MachineAddPorts & MachineJoinPorts): PrimitiveRegistry {
  const ports = { store, machines };
  const all = [
    register(deployPrimitive, ports),
    register(branch, ports),
    register(promote, ports),
    register(rollback, ports),
    register(migrate, ports),
    register(namespaceRm, ports),
    register(volumeCreate, ports),
    register(volumeFork, ports),
    register(volumeRestore, ports),
    register(volumeRm, ports),
    register(machineAdd, { ...ports, ...rest }),
    register(machineJoin, { ...ports, ...rest }),
  ];
  return new Map(all.map((registered) => [registered.primitive.name, registered]));
}
