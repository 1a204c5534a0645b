import {
  branch,
  deployPrimitive,
  type MachineAddPorts,
  type MachineUpdatePorts,
  machineAdd,
  machineUpdate,
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
  source,
  ...rest
}: MachineAddPorts & MachineUpdatePorts): PrimitiveRegistry {
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
    register(machineUpdate, { ...ports, source }),
  ];
  return new Map(all.map((registered) => [registered.primitive.name, registered]));
}
