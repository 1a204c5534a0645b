import type { ErrorBody } from "@ployz/errors";
import type { OperationEvent } from "../model/operation.ts";
import type { Body } from "./bodies.ts";

export type StoreAction = "promote" | "demote" | "restore" | "recover";

/** What moving the store would do. */
export type StorePlan = {
  readonly kind: "store-plan";
  readonly action: StoreAction;
  readonly changes: boolean;
  readonly from: { readonly generation: number; readonly machines: readonly string[] };
  readonly to: { readonly generation: number; readonly machines: readonly string[] };
  /** Re-foundings without a coordinator. They are finished first. */
  readonly unfinished: readonly { readonly id: string; readonly decided: boolean }[];
  readonly warnings: readonly string[];
  readonly recovery?: StoreRecovery;
};

/** Where the store is now. */
export type StoreMoved = {
  readonly kind: "store-moved";
  readonly action: StoreAction;
  readonly changed: boolean;
  readonly generation: number;
  readonly machines: readonly string[];
  readonly previous: readonly string[];
  /** For how long no write was taken. */
  readonly pauseMs: number;
  /** Machines of the new set whose server is not open yet: the same command again opens it. */
  readonly notOpen: readonly string[];
  /** Machines of the old set that were away. Their data is ignored, and never takes a write. */
  readonly notRetired: readonly string[];
  /** Members that were not reached. They ask the others. */
  readonly unaware: readonly string[];
  readonly recovery?: StoreRecovery;
};

/** Contents and gaps of a store that is rebuilt from a mirror or a backup. */
export type StoreRecovery = {
  /** The machine whose mirror it is; absent: a backup. */
  readonly from?: string;
  /** Sequences up to which it is complete. */
  readonly commits: number;
  readonly facts: number;
  readonly namespaces: readonly string[];
  readonly lost: readonly string[];
  /** How far each machine that answers has followed the store that was. */
  readonly views: readonly StoreView[];
};

export type StoreView = {
  readonly machine: string;
  readonly generation: number;
  readonly commits: number;
  readonly facts: number;
};

export type StoreEvent =
  | Extract<OperationEvent, { type: "step" | "waiting" }>
  | { readonly type: "store-plan"; readonly plan: StorePlan }
  | { readonly type: "refused"; readonly refusals: readonly ErrorBody[] }
  | { readonly type: "store-moved"; readonly moved: StoreMoved };

/** `machines`: those of the set that result (promote) or those that are relieved (demote). */
export type StoreMove = Body<"POST /v1/store/move">;

export type StoreStatus = {
  readonly kind: "store";
  readonly state: "open" | "no-quorum" | "unreachable" | "fenced";
  readonly generation: number;
  readonly machines: readonly {
    readonly id: string;
    readonly server: string;
    readonly state: "leader" | "follower" | "behind" | "alone" | "down";
    readonly version?: string;
    readonly error?: ErrorBody;
  }[];
  /** How many machines hold it, how many of them answer, and how many must. */
  readonly quorum: { readonly size: number; readonly up: number; readonly needed: number };
  readonly streams: readonly {
    readonly name: string;
    readonly messages: number;
    readonly bytes: number;
    readonly lastSequence: number;
    readonly leader?: string;
  }[];
  /** What each machine knows, and which generations it has on disk. */
  readonly views: readonly (StoreView & {
    readonly kept: readonly { readonly generation: number; readonly state: string }[];
  })[];
  readonly silent: readonly string[];
  readonly unfinished: StorePlan["unfinished"];
};

export type StoreRestore = Body<"POST /v1/store/restore">;
export type StoreRepair = Body<"POST /v1/store/repair">;
/** `restored`: the last readable value was written again. `removed`: there was none. `unchanged`: it can be read, or is gone. */
export type StoreRepaired = {
  readonly kind: "store-repaired";
  readonly record: string;
  readonly action: "restored" | "removed" | "unchanged";
};
export type StoreRecover = Body<"POST /v1/store/recover">;
