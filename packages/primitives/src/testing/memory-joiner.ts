import { PloyzError } from "@ployz/errors";
import type { MachineRecord } from "../model/machine.ts";
import type { Joiner } from "../ports/joiner.ts";
import type { MemoryMachines } from "./memory-machines.ts";

/** A machine that waits for its answer. Tests may read and change every field. */
export interface WaitingMachine {
  readonly publicKey: string;
  waiting: boolean;
  membership: { readonly machine: string; readonly operation: string } | undefined;
}

export interface MemoryJoiner extends Joiner {
  readonly waiting: ReadonlyMap<string, WaitingMachine>;
  /** A machine that waits to join. */
  add(publicKey: string): WaitingMachine;
}

/** `Joiner` in memory: a machine that gets its document becomes a machine of the cluster, and no longer is one when it leaves. */
export function createMemoryJoiner(machines: MemoryMachines): MemoryJoiner {
  const waiting = new Map<string, WaitingMachine>();
  const answering = (id: string) => machines.all.find((machine) => machine.id === id);
  return {
    waiting,
    add(publicKey) {
      const machine: WaitingMachine = { publicKey, waiting: true, membership: undefined };
      waiting.set(publicKey, machine);
      return machine;
    },
    async deliver(publicKey, document, signal) {
      if (signal.aborted) throw signal.reason;
      const there = waiting.get(publicKey);
      if (there?.waiting !== true)
        throw new PloyzError({ code: "joiner_gone", message: "the machine no longer waits for its answer" });
      const { machine } = document as unknown as { readonly machine: MachineRecord };
      if (machine.publicKey !== publicKey)
        throw new PloyzError({ code: "wrong_machine", message: "the seat is for another key" });
      there.membership = { machine: machine.id, operation: machine.operation };
      (answering(machine.id) ?? machines.add(machine.id)).reachable = true;
    },
    async retract(publicKey, operation) {
      const there = waiting.get(publicKey);
      if (there?.membership?.operation !== operation) return;
      const machine = answering(there.membership.machine);
      if (machine !== undefined) machine.reachable = false;
      there.membership = undefined;
    },
  };
}
