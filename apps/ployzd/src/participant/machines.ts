import type { Rpc } from "@ployz/nats-store";
import type { Fence, Json, Machines } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import type { CommandContext } from "./handlers.ts";

export type LocalHandler = (
  command: string,
  args: unknown,
  fence: Fence | undefined,
  context: CommandContext,
) => Promise<unknown>;

export interface MachinesOptions {
  readonly self: string;
  local(): LocalHandler | undefined;
  /** Membership data, for questions that must not go to the machine itself. */
  versionOf(machine: string): string | undefined;
}

/** The `Machines` port over RPC. Commands to this machine itself do not go through the store. */
export function openMachines(rpc: Rpc, { self, local, versionOf }: MachinesOptions): Machines {
  const call = async (
    machine: string,
    command: string,
    args: unknown,
    options: Parameters<Machines["call"]>[3],
  ): Promise<unknown> => {
    const handler = machine === self ? local() : undefined;
    if (handler === undefined) {
      const asked = {
        timeoutMs: options.timeoutMs,
        signal: options.signal,
        ...(options.fence !== undefined && { fence: options.fence }),
        ...(options.operation !== undefined && { operation: options.operation }),
        ...(options.idleTimeoutMs !== undefined && { idleTimeoutMs: options.idleTimeoutMs }),
        ...(options.silentTimeoutMs !== undefined && { silentTimeoutMs: options.silentTimeoutMs }),
        ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
      };
      return rpc.call(machine, command, args as Json, asked).catch((error: unknown) => {
        throw otherVersion(error, { machine, command, version: versionOf(machine) });
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
        caller: self,
        ...(options.operation !== undefined && { operation: options.operation }),
      });
    } finally {
      clearTimeout(timer);
    }
  };
  return { call: call as Machines["call"] };
}

/** Explains `command_unknown` of a machine with another version. Does not rely on the text of older versions. */
function otherVersion(
  error: unknown,
  { machine, command, version }: { machine: string; command: string; version: string | undefined },
): unknown {
  const code = error instanceof PloyzError ? error.code : undefined;
  if (code !== "command_unknown" && code !== "no_such_command") return error;
  const which = version === undefined ? "" : ` ${version}`;
  return new PloyzError(
    {
      code: "command_unknown",
      message: `${machine} runs Ployz${which}, which does not have the command ${command}`,
      hint: command.startsWith("update.")
        ? `too old to update from here: install the new release on ${machine}, then run there: ployzctl daemon install`
        : `run on a machine with the newer version: ployzctl machine update ${machine}`,
    },
    { cause: error },
  );
}
