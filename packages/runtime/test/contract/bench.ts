import type { PloyzError } from "@ployz/errors";
import { waitFor } from "@ployz/exec";
import type { InstanceSpec, Runtime } from "../../src/index.ts";
import { collect, type Machine } from "../machine.ts";

export interface Backend {
  /** Makes the machine ready; a second call is a restart of the caller over the same machine. */
  open(machine: Machine, options?: { readonly refuseRoot?: boolean }): Promise<Runtime>;
  /** What makes a spec run `argv` on this backend with sh and busybox-like tools in reach. */
  program(machine: Machine, argv: readonly string[]): Partial<InstanceSpec>;
  close(machine: Machine): Promise<void>;
}

/** One machine with the backend open on it, for all cases. */
export interface Bench {
  readonly backend: Backend;
  readonly machine: Machine;
  readonly runtime: Runtime;
  sh(script: string): Partial<InstanceSpec>;
  /** Resolves once the text is in the instance's log. */
  until(id: string, text: string): Promise<true>;
}

export const code = (error: unknown) => (error as PloyzError).code;
export const deadline = () => AbortSignal.timeout(20_000);

export const openBench = (backend: Backend, machine: Machine, runtime: Runtime): Bench => ({
  ...{ backend, machine, runtime },
  sh: (script) => backend.program(machine, ["sh", "-c", script]),
  until: (id, text) =>
    waitFor(
      `"${text}" in the log of ${id}`,
      async () => (await collect(runtime.logs(id))).some(({ line }) => line.includes(text)) || undefined,
      { timeoutMs: 10_000 },
    ),
});
