import { PloyzError } from "@ployz/errors";
import type { Json } from "../json.ts";

/** The store generation and lease revision under which an effect is sent. Passed through; the participant enforces it. */
export interface Fence {
  readonly scope: string;
  readonly generation: number;
  readonly revision: number;
}

/** Who calls, for which operation, under which lease. */
export interface CallMeta {
  /** The calling machine's own claim, not verified: every member may call every command. */
  readonly caller: string;
  readonly operation?: string;
  readonly fence?: Fence;
}

export interface Request {
  readonly v: 1;
  readonly call: string;
  readonly mode: "call" | "stream";
  readonly args: Json;
  /** Milliseconds from receipt until the handler is aborted. Relative: clocks differ. */
  readonly timeoutMs?: number;
  /** Interval of the caller's heartbeats; four missed ones abort the handler. */
  readonly aliveMs: number;
  /** Items that may be in flight before the caller takes them. */
  readonly window: number;
  readonly meta: CallMeta;
}

/** From the callee to the caller's inbox. */
export type Frame =
  | { readonly t: "accepted" }
  | { readonly t: "progress"; readonly value: Json }
  | { readonly t: "item"; readonly n: number; readonly value: Json }
  | { readonly t: "result"; readonly value: Json }
  | { readonly t: "end"; readonly n: number }
  | { readonly t: "error"; readonly error: WireError }
  /** Answer to a sign of life: still at it, with this many items sent. */
  | { readonly t: "running"; readonly sent: number }
  /** Answer to a sign of life: no such call here (the request never came, or the daemon was started anew). */
  | { readonly t: "unknown" };

/** From the caller to the callee's control subject. */
export type Control = { readonly t: "alive"; readonly taken: number } | { readonly t: "cancel" };

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, Json>>;
}

export const isFinal = (frame: Frame) => frame.t === "result" || frame.t === "end" || frame.t === "error";

export function toWire(error: unknown): WireError {
  if (error instanceof PloyzError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
      ...(error.details !== undefined && { details: error.details }),
    };
  }
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

export function fromWire(error: WireError, machine: string): PloyzError {
  return new PloyzError({
    code: error.code,
    message: error.message,
    ...(error.hint !== undefined && { hint: error.hint }),
    details: { machine, ...error.details } as Record<string, string>,
  });
}
