import type { StoreStatus } from "@ployz/primitives/client";
import type { AlertRecord, Store } from "@ployz/primitives/protocol";
import type { SecretKeeper } from "../secrets/keeper.ts";
import type { Present } from "./decide.ts";

/** What one look saw. `blind`: a machine does not answer. `too-little`: not enough to tell that something is over. `partial`: others see more than this machine. */
export type Seen =
  | { readonly present: readonly Present[]; readonly leader?: string; readonly blind?: true }
  | "too-little"
  | "partial";

/** This machine as a member, as far as it sends. */
export interface Sender {
  readonly self: string;
  readonly cluster: string;
  readonly store: Store;
  readonly secrets: Pick<SecretKeeper, "read">;
  members(): readonly string[];
  /** From the mirror: without alerts nothing is asked. */
  alerts(): readonly AlertRecord[];
  look(signal: AbortSignal): Promise<Seen>;
  /** Over the overlay: also while the store is away. */
  storeStatus(): Promise<StoreStatus>;
}
