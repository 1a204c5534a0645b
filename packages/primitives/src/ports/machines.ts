import { errorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import type { Commands } from "../participant/commands.ts";

/** The store generation and the lease revision under which an effect is sent. A machine refuses a lower one for the same scope. */
export interface Fence {
  readonly scope: string;
  readonly generation: number;
  readonly revision: number;
}

/** Deadline (ms), abort and fence of one call. */
export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Required for every command that changes something. */
  readonly fence?: Fence;
  readonly operation?: string;
  /** Fails with `deadline_exceeded` when the command makes no progress for this long. */
  readonly idleTimeoutMs?: number;
  /** Fails with `machine_unreachable` when the machine gives no sign of life for this long. */
  readonly silentTimeoutMs?: number;
  /** Progress of a long command, as documented at the command. */
  readonly onProgress?: (value: Json) => void;
}

/** Of a look at a machine. One that is silent is done without; one that is busy is waited for. */
export const LOOK = { timeoutMs: 30_000, silentTimeoutMs: 3_000 } as const;

/**
 * Commands to machines, request and reply. Fails with `machine_unreachable` (no answer), `deadline_exceeded`,
 * `fenced` (a newer holder was seen), or the participant's own error.
 */
export interface Machines {
  /** Calls one machine. Throws `machine_unreachable`, `deadline_exceeded` or the code that the machine answers with. */
  call<N extends keyof Commands>(
    machine: string,
    command: N,
    args: Commands[N]["args"],
    options: CallOptions,
  ): Promise<Commands[N]["out"]>;
}

/** A read, repeated once after no answer or a late one: one lost message must not make a machine look gone. */
export async function ask<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const { code } = errorBody(error);
    if (code !== "machine_unreachable" && code !== "deadline_exceeded") throw error;
    return await read();
  }
}
