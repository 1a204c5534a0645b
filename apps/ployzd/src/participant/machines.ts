import { PloyzError } from "@ployz/exec";
import type { Rpc } from "@ployz/nats-store";
import type { Fence, Json, Machines } from "@ployz/primitives";
import type { CommandContext } from "./handlers.ts";

export type LocalHandler = (
  command: string,
  args: unknown,
  fence: Fence | undefined,
  context: CommandContext,
) => Promise<unknown>;

/** The `Machines` port over RPC. Commands to this machine itself do not go through the store. */
export function openMachines(rpc: Rpc, self: string, local: () => LocalHandler | undefined): Machines {
  const call = async (
    machine: string,
    command: string,
    args: unknown,
    options: Parameters<Machines["call"]>[3],
  ): Promise<unknown> => {
    const handler = machine === self ? local() : undefined;
    if (handler === undefined) {
      return rpc.call(machine, command, args as Json, {
        timeoutMs: options.timeoutMs,
        signal: options.signal,
        ...(options.fence !== undefined && { fence: options.fence }),
        ...(options.operation !== undefined && { operation: options.operation }),
        ...(options.idleTimeoutMs !== undefined && { idleTimeoutMs: options.idleTimeoutMs }),
        ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
      });
    }
    const deadline = new AbortController();
    const late = new PloyzError({
      code: "deadline_exceeded",
      message: `${command} on ${machine} did not finish within ${options.timeoutMs} ms`,
    });
    const timer = setTimeout(() => deadline.abort(late), options.timeoutMs);
    try {
      const signal = AbortSignal.any([deadline.signal, options.signal]);
      return await handler(command, args, options.fence, {
        signal,
        progress: options.onProgress ?? (() => {}),
      });
    } finally {
      clearTimeout(timer);
    }
  };
  return { call: call as Machines["call"] };
}
