import {
  branch,
  deployPrimitive,
  evacuate,
  type MachineAddPorts,
  type MachineJoinPorts,
  type MachineUpdatePorts,
  type MembershipPorts,
  machineActivate,
  machineAdd,
  machineDrain,
  machineJoin,
  machineRm,
  machineStandby,
  machineUpdate,
  migrate,
  namespaceRepair,
  namespaceRm,
  type PrimitiveRegistry,
  promote,
  register,
  rollback,
  volumeCreate,
  volumeFork,
  volumeImport,
  volumePrune,
  volumeRestore,
  volumeRm,
  volumeSnapshot,
} from "@ployz/primitives";

/** Every primitive that this daemon runs, each with its ports. */
export function primitivesOf({
  store,
  machines,
  operations,
  source,
  ...rest
}: MachineAddPorts & MachineJoinPorts & MachineUpdatePorts & MembershipPorts): PrimitiveRegistry {
  const ports = { store, machines };
  const membership = { ...ports, operations };
  const all = [
    register(deployPrimitive, ports),
    register(branch, ports),
    register(promote, ports),
    register(rollback, ports),
    register(migrate, ports),
    register(namespaceRepair, ports),
    register(namespaceRm, ports),
    register(volumeCreate, ports),
    register(volumeFork, ports),
    register(volumeImport, ports),
    register(volumeRestore, ports),
    register(volumeRm, ports),
    register(volumeSnapshot, ports),
    register(volumePrune, ports),
    register(evacuate, ports),
    register(machineDrain, membership),
    register(machineActivate, membership),
    register(machineStandby, membership),
    register(machineRm, membership),
    register(machineAdd, { ...ports, ...rest }),
    register(machineUpdate, { ...ports, source }),
    register(machineJoin, { ...ports, ...rest }),
  ];
  return new Map(all.map((registered) => [registered.primitive.name, registered]));
}
