import { setTimeout as delay } from "node:timers/promises";
import { type RunResult, run } from "@ployz/exec";
import { hasCode, isHalfReleased, zfsError } from "./errors.ts";

/** Deadline and abort of one call of zfs or zpool. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default 60,000 ms. */
  readonly timeoutMs?: number;
}

export interface Call {
  readonly program: "zfs" | "zpool";
  readonly args: readonly string[];
  /** The dataset or pool that errors name. */
  readonly subject: string;
}

/** Runs one call. @throws PloyzError with a `ZfsErrorCode`. */
export async function call({ program, args, subject }: Call, options: CallOptions = {}): Promise<RunResult> {
  try {
    return await run(program, args, {
      env: { LC_ALL: "C" },
      timeoutMs: options.timeoutMs ?? 60_000,
      ...(options.signal && { signal: options.signal }),
    });
  } catch (error) {
    throw zfsError(error, subject);
  }
}

/** FUSE releases a mount only after unmount has returned. 8 × 20 ms was enough on an idle machine, a second was not on a busy one. */
const BUSY_ATTEMPTS = 17;
const BUSY_DELAY_MS = 20;

/** Repeats work that fails because a mount is not released yet, at most 16 times in about three seconds; then throws the error. */
export async function retryBusy<T>(work: () => Promise<T>, options: CallOptions = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const transient = hasCode(error, "dataset_busy") || isHalfReleased(error);
      if (!transient || attempt >= BUSY_ATTEMPTS) throw error;
      await delay(BUSY_DELAY_MS * attempt, undefined, options.signal ? { signal: options.signal } : {});
    }
  }
}
