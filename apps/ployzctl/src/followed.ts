import {
  AccessEvent,
  AuditEntry,
  ClusterEvent,
  LogEvent,
  list,
  MachineSample,
  object,
  text,
} from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

/** Documents that are printed as they arrive. */
const Audit = object({ kind: Type.Literal("audit"), entries: list(AuditEntry) });
/** Printed like logs: with `--json` and `--follow` one entry per line; else one document. */
export type AuditDocument = {
  readonly kind: "audit";
  readonly follow: boolean;
  readonly events: AsyncIterable<AuditEntry>;
};
const Access = object({ kind: Type.Literal("access-log"), events: list(AccessEvent) });
/** Printed like logs: with `--json` and `--follow` one event per line; else one document. */
export type AccessDocument = {
  readonly kind: "access-log";
  readonly follow: boolean;
  readonly events: AsyncIterable<AccessEvent>;
};
const Logs = object({ kind: Type.Literal("logs"), events: list(LogEvent) });
/** Printed as they arrive. With `--json` and `--follow`: one event per line; else one document of the kind `logs`. */
export type LogsDocument = {
  readonly kind: "logs";
  readonly follow: boolean;
  readonly events: AsyncIterable<LogEvent>;
};
const Events = object({ kind: Type.Literal("events"), events: list(ClusterEvent) });
/** Printed like logs: with `--json` and `--follow` one event per line; else one document. */
export type EventsDocument = {
  readonly kind: "events";
  readonly follow: boolean;
  readonly events: AsyncIterable<ClusterEvent>;
};

/** What machines and instances used between two looks, `seconds` apart. */
export const Usage = object({
  kind: Type.Literal("usage"),
  /** RFC 3339. */
  at: text(),
  seconds: Type.Number(),
  machines: list(MachineSample),
  instances: list(
    object({
      id: text(),
      namespace: text(),
      service: text(),
      slot: Type.Integer(),
      machine: text(),
      /** CPUs, in a mean over these seconds; absent where it was not measured twice. */
      cores: Type.Optional(Type.Number()),
      memoryBytes: Type.Optional(Type.Integer()),
    }),
  ),
});
export type Usage = Static<typeof Usage>;
/** One, or where it is `live` each as it is measured. */
export type UsageDocument = {
  readonly kind: "usage";
  readonly live: boolean;
  readonly events: AsyncIterable<Usage>;
};

/** By kind. */
export const FOLLOWED = {
  "access-log": Access,
  audit: Audit,
  events: Events,
  logs: Logs,
  usage: Usage,
} as const;
export type FollowedDocument = AccessDocument | AuditDocument | EventsDocument | LogsDocument | UsageDocument;
