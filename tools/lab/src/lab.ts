import { randomBytes } from "node:crypto";
import { PloyzError } from "@ployz/errors";
import type { RunResult } from "@ployz/exec";
import { signalAll } from "./cgroup.ts";
import { describe, type LabInfo } from "./describe.ts";
import { type LoadRequest, load } from "./load.ts";
import type { LoadReport } from "./load-report.ts";
import { boot, inMachine, powerOff } from "./machine.ts";
import { clientAddress, machineAddress, machineCgroup, sshKey } from "./names.ts";
import { heal, lose, partition } from "./network.ts";
import { checkIndex, indexes, type LabSpec, readSpec } from "./spec.ts";
import { down, type UpOptions, up } from "./up.ts";

type InMachineOptions = NonNullable<Parameters<typeof inMachine>[3]>;

/** A running lab. Machines are numbered from 1. */
export interface Lab extends AsyncDisposable {
  readonly name: string;
  /** `addresses[0]` is m1's. */
  readonly addresses: readonly string[];
  /** The default source address of `load`. */
  readonly clientAddress: string;
  /** Private key that every machine accepts for root. */
  readonly sshKey: string;
  info(): Promise<LabInfo>;
  /** Runs a command in a machine as root. Throws `ExecError` as `run` of @ployz/exec does. */
  sh(machine: number, argv: readonly [string, ...string[]], options?: InMachineOptions): Promise<RunResult>;
  /** Cuts the power. The disk stays. */
  cut(machine: number): Promise<void>;
  /** Boots a machine that was cut, from the disk it had. */
  on(machine: number): Promise<void>;
  /** Drops all IP packets between two machines until `heal`, also over power cuts. */
  partition(a: number, b: number): Promise<void>;
  /** Loses `percent` (1 to 99) of the IP packets that a machine sends to others, until `heal`. */
  lose(machine: number, percent: number): Promise<void>;
  heal(): Promise<void>;
  /** SIGSTOP for every process of the machine, containers included. */
  pause(machine: number): Promise<void>;
  resume(machine: number): Promise<void>;
  load(url: string, request?: LoadRequest): Promise<LoadReport>;
  /** Removes everything. Safe to call twice. */
  down(): Promise<void>;
}

/** Creates a lab. The default name is unique, so that labs of parallel tests never collide. */
export async function openLab(options: Omit<UpOptions, "name"> & { readonly name?: string }): Promise<Lab> {
  const name = options.name ?? `t-${process.pid}-${randomBytes(4).toString("hex")}`;
  return handle(await up({ ...options, name }));
}

/** Opens an existing lab. @throws PloyzError `lab_missing` */
export async function attachLab(name: string): Promise<Lab> {
  return handle(await readSpec(name));
}

function handle(spec: LabSpec): Lab {
  const { name } = spec;
  const checked = (index: number) => checkIndex(spec, index);
  return {
    name,
    addresses: indexes(spec).map((index) => machineAddress(name, index)),
    clientAddress: clientAddress(name),
    sshKey: sshKey(name),
    info: () => describe(spec),
    sh: async (index, argv, options) => inMachine(spec, checked(index), argv, options),
    cut: async (index) => powerOff(spec, checked(index)),
    on: async (index) => {
      // Idempotent: first removes the remains of an earlier, failed start.
      if (!(await describe(spec)).machines[checked(index) - 1]?.init) {
        await powerOff(spec, index);
        await boot(spec, index);
      }
    },
    partition: async (a, b) => partition(name, checked(a), checked(b)),
    lose: async (index, percent) => lose(name, checked(index), checkPercent(percent)),
    heal: () => heal(name),
    pause: async (index) => void (await signalAll(machineCgroup(name, checked(index)), "SIGSTOP")),
    resume: async (index) => void (await signalAll(machineCgroup(name, checked(index)), "SIGCONT")),
    load: (url, request) => load(spec, url, request),
    down: () => down(name),
    [Symbol.asyncDispose]: () => down(name),
  };
}

function checkPercent(percent: number): number {
  if (Number.isInteger(percent) && percent > 0 && percent < 100) return percent;
  throw new PloyzError({ code: "lab_percent_invalid", message: `${percent} is no percentage from 1 to 99` });
}
