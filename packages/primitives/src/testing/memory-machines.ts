import { PloyzError } from "@ployz/errors";
import type { Clock } from "../engine/clock.ts";
import { secretKey } from "../model/secret.ts";
import type { Commands } from "../participant/commands.ts";
import type { CallOptions, Machines } from "../ports/machines.ts";
import type { FactStore } from "../ports/store.ts";
import { copy } from "./copy.ts";
import type { MemoryBackup } from "./memory-backup.ts";
import { handlersOf } from "./memory-handlers.ts";
import { CHANGING, checkFence, type MachineSetting, type MemoryMachine } from "./memory-participant.ts";

/** Settings of all machines in memory. */
export interface MemoryMachinesOptions {
  readonly clock: Clock;
  /** Machine ids; machine number n (from 1) has the subnet 10.101.n.0/24. */
  readonly machines: readonly string[];
  readonly registry?: MachineSetting["registry"];
  /** How instances behave; default: ready at once, jobs succeed. */
  readonly behaviour?: MachineSetting["behaviour"];
  /** Whether a machine's daemon runs an operation; default: no. */
  readonly isRunning?: MachineSetting["isRunning"];
  /** Where membership is read: with it, a machine has the peers that the facts name. */
  readonly facts?: FactStore;
}

export interface MemoryMachines extends Machines {
  /** Throws for an unknown id. */
  machine(id: string): MemoryMachine;
  readonly all: readonly MemoryMachine[];
  /** What repositories for backups hold, by URL. */
  readonly repositories: ReadonlyMap<string, MemoryBackup[]>;
  /** Another machine, with the next subnet. */
  add(id: string): MemoryMachine;
}

/** Participants in memory: reservations, instances and images, with fences enforced and every command safe to send twice. */
export function createMemoryMachines(options: MemoryMachinesOptions): MemoryMachines {
  const { clock } = options;
  let guids = 0;
  const repositories: MachineSetting["repositories"] = new Map();
  const byId = new Map<
    string,
    { readonly machine: MemoryMachine; readonly handlers: ReturnType<typeof handlersOf> }
  >();
  const add = (id: string): MemoryMachine => {
    const machine = emptyMachine(id);
    const setting: MachineSetting = {
      clock,
      registry: options.registry ?? new Map(),
      repositories,
      behaviour: options.behaviour ?? (() => ({ ready: "yes" })),
      isRunning: options.isRunning ?? (() => false),
      async members() {
        const entries = await options.facts?.list("machine");
        return entries?.map(({ key }) => key.slice("machine.".length));
      },
      async closed(id) {
        const record = (await options.facts?.get(`machine.${id}`))?.value;
        return record?.state === "draining" || record?.state === "standby";
      },
      answers: (other) => byId.get(other)?.machine.reachable === true,
      peer(other) {
        const found = byId.get(other)?.machine;
        return found?.reachable === true ? found : undefined;
      },
      writtenElsewhere: (here, volume) =>
        [...byId.values()].some(
          ({ machine: other }) =>
            other.id !== here &&
            [...other.instances.values()].some(
              ({ start, state }) => state === "running" && start.volumes?.some(({ id }) => id === volume),
            ),
        ),
      async haveSecrets(secrets) {
        for (const ref of secrets) {
          const record = (await options.facts?.get(secretKey(ref)))?.value;
          if (record?.version !== ref.version)
            throw new PloyzError({ code: "secret_changed", message: `${secretKey(ref)} is another one now` });
        }
      },
      newGuid: () => `${++guids}`,
      subnet: `10.101.${byId.size + 1}`,
    };
    byId.set(id, { machine, handlers: handlersOf(machine, setting) });
    return machine;
  };
  for (const id of options.machines) add(id);

  async function call<N extends keyof Commands>(
    id: string,
    command: N,
    args: Commands[N]["args"],
    callOptions: CallOptions,
  ): Promise<Commands[N]["out"]> {
    await Promise.resolve();
    if (callOptions.signal.aborted) throw callOptions.signal.reason;
    const found = byId.get(id);
    if (found === undefined || !found.machine.reachable) {
      throw new PloyzError({
        code: "machine_unreachable",
        message: `machine ${id} does not answer`,
        machine: id,
      });
    }
    if (CHANGING.has(command)) checkFence(found.machine, callOptions.fence, command);
    return copy(await found.handlers[command](copy(args), callOptions));
  }

  return {
    call,
    add,
    repositories,
    get all() {
      return [...byId.values()].map(({ machine }) => machine);
    },
    machine(id) {
      const found = byId.get(id);
      if (found === undefined) throw new Error(`there is no machine ${id}`);
      return found.machine;
    },
  };
}

function emptyMachine(id: string): MemoryMachine {
  return {
    id,
    reachable: true,
    draining: false,
    runtime: "process",
    cpus: 4,
    memoryBytes: 8 * 2 ** 30,
    diskFreeBytes: 100 * 2 ** 30,
    load1: 0,
    images: new Set(),
    bundles: new Set(),
    reservations: new Map(),
    instances: new Map(),
    secrets: new Map(),
    storage: true,
    prunes: false,
    volumes: new Map(),
    build: "build-0",
    builds: new Map([["build-0", undefined]]),
    busy: [],
    buildFaults: new Map(),
    backups: { restic: true },
    hooks: [],
    fences: new Map(),
    effects: [],
  };
}
