import type { Json } from "../model/json.ts";

/** A machine that asked to join and waits for the answer. Filled by ployzd per request, over the connection that the machine opened. */
export interface Joiner {
  /** Sends the join document. Fails with `joiner_gone` when the machine with this WireGuard key no longer waits. */
  deliver(publicKey: string, document: Json, signal: AbortSignal): Promise<void>;
  /** Tells it to leave the membership that `operation` made. One that has gone finds out when it asks again. */
  retract(publicKey: string, operation: string, signal: AbortSignal): Promise<void>;
}
