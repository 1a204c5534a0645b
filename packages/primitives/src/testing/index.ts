/**
 * Ports in memory, a virtual clock, the contracts that real ports pass too, and the fault harness for primitives.
 *
 * @module
 */
export { memoryDeps } from "./bench.ts";
export { createVirtualClock, type VirtualClock } from "./clock.ts";
export type { TestApi } from "./contract.ts";
export { type CheckOptions, checkPrimitive, checkSchedule } from "./harness/check.ts";
export { type Hook, interpose } from "./harness/interpose.ts";
export { type Cluster, createCluster, type Fault, openProcess, type Process } from "./harness/process.ts";
export { type Around, around } from "./harness/sabotage.ts";
export type { Scenario, Violation, World } from "./harness/scenario.ts";
export { type Draft, type LimitCase, limitCases, limitManifest } from "./limit-cases.ts";
export { createMemoryCluster, type MemoryCluster, type MemoryClusterOptions } from "./memory-cluster.ts";
export { createMemoryJoiner, type MemoryJoiner, type WaitingMachine } from "./memory-joiner.ts";
export { createMemoryMachines, type MemoryMachines, type MemoryMachinesOptions } from "./memory-machines.ts";
export type { Behaviour, MachineSetting, MemoryInstance, MemoryMachine } from "./memory-participant.ts";
export { createMemoryRemote, type MemoryRemote, type MemoryTarget } from "./memory-remote.ts";
export { createMemoryStore, createRawStore } from "./memory-store.ts";
export { type MachineUnderTest, participantContract } from "./participant-contract.ts";
export { placeScenario } from "./place-scenario.ts";
export { type StoreUnderTest, storeContract } from "./store-contract.ts";
export { place } from "./toy.ts";
export type { VolumeMachines } from "./volume-bench.ts";
export { volumeContract } from "./volume-contract.ts";
