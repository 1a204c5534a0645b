import Type, { type Static } from "typebox";
import { stepEvent, waitingEvent } from "../model/operation.ts";
import { count, error, list, object, text } from "../model/schema.ts";
import type { Body } from "./bodies.ts";

/** What a move of the store does. */
export const StoreAction = Type.Enum(["promote", "demote", "restore", "recover"]);
/** Static type of the schema of this name. */
export type StoreAction = Static<typeof StoreAction>;

const where = object({ generation: count(), machines: list(text()) });
/** A re-founding without a coordinator. */
const unfinished = object({ id: text(), decided: Type.Boolean() });

const view = { machine: text(), generation: count(), commits: count(), facts: count() };
/** One server of the store. */
export const StoreView = object(view);
/** Static type of the schema of this name. */
export type StoreView = Static<typeof StoreView>;
/** Contents and gaps of a store that is rebuilt from a mirror or a backup. */
export const StoreRecovery = object({
  /** The machine whose mirror it is; absent: a backup. */
  from: Type.Optional(text()),
  /** Sequences up to which it is complete. */
  commits: count(),
  facts: count(),
  namespaces: list(text()),
  lost: list(text()),
  /** After a recovery from a mirror: certificates whose keys were brought back from gateways, and those to issue or import again. */
  certificates: Type.Optional(object({ restored: list(text()), lost: list(text()) })),
  /** How far each machine that answers has followed the store that was. */
  views: list(StoreView),
});
export type StoreRecovery = Static<typeof StoreRecovery>;
/** What moving the store would do. */
export const StorePlan = object({
  kind: Type.Literal("store-plan"),
  action: StoreAction,
  changes: Type.Boolean(),
  from: where,
  to: where,
  /** They are finished first. */
  unfinished: list(unfinished),
  warnings: list(text()),
  recovery: Type.Optional(StoreRecovery),
});
export type StorePlan = Static<typeof StorePlan>;

/** Where the store is now. */
export const StoreMoved = object({
  kind: Type.Literal("store-moved"),
  action: StoreAction,
  changed: Type.Boolean(),
  generation: count(),
  machines: list(text()),
  previous: list(text()),
  /** For how long no write was taken. */
  pauseMs: Type.Number(),
  /** Machines of the new set whose server is not open yet: the same command again opens it. */
  notOpen: list(text()),
  /** Machines of the old set that were away. Their data is ignored, and never takes a write. */
  notRetired: list(text()),
  /** Members that were not reached. They ask the others. */
  unaware: list(text()),
  recovery: Type.Optional(StoreRecovery),
});
export type StoreMoved = Static<typeof StoreMoved>;

/** One line of the progress of a store operation. */
export const StoreEvent = Type.Union([
  stepEvent,
  waitingEvent,
  object({
    type: Type.Literal("store-plan"),
    plan: StorePlan,
  }),
  object({
    type: Type.Literal("refused"),
    refusals: list(error()),
  }),
  object({
    type: Type.Literal("store-moved"),
    moved: StoreMoved,
  }),
]);
/** Static type of the schema of this name. */
export type StoreEvent = Static<typeof StoreEvent>;

/** `machines`: those of the set that result (promote) or those that are relieved (demote). */
export type StoreMove = Body<"POST /v1/store/move">;

/** The store: generation, servers, and how this machine sees them. */
export const StoreStatus = object({
  kind: Type.Literal("store"),
  state: Type.Enum(["open", "no-quorum", "unreachable", "fenced"]),
  generation: count(),
  machines: list(
    object({
      id: text(),
      server: text(),
      state: Type.Enum(["leader", "follower", "behind", "alone", "down"]),
      version: Type.Optional(text()),
      error: Type.Optional(error()),
    }),
  ),
  /** How many machines hold it, how many of them answer, and how many must. */
  quorum: object({
    size: count(),
    up: count(),
    needed: count(),
  }),
  streams: list(
    object({
      name: text(),
      messages: count(),
      bytes: count(),
      lastSequence: count(),
      leader: Type.Optional(text()),
    }),
  ),
  /** What each machine knows, and which generations it has on disk. */
  views: list(object({ ...view, kept: list(object({ generation: count(), state: text() })) })),
  silent: list(text()),
  unfinished: list(unfinished),
});
/** Static type of the schema of this name. */
export type StoreStatus = Static<typeof StoreStatus>;

/** Body of a request that restores a backup of the store. */
export type StoreRestore = Body<"POST /v1/store/restore">;
/** Body of a request that repairs one record. */
export type StoreRepair = Body<"POST /v1/store/repair">;
/** `restored`: the last readable value was written again. `removed`: there was none. `unchanged`: it can be read, or is gone. */
export const StoreRepaired = object({
  kind: Type.Literal("store-repaired"),
  record: text(),
  action: Type.Enum(["restored", "removed", "unchanged"]),
});
export type StoreRepaired = Static<typeof StoreRepaired>;
/** Body of `POST /v1/store/recover`. */
export type StoreRecover = Body<"POST /v1/store/recover">;
