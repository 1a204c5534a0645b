import { AccessEvent, AuditEntry, ClusterEvent, LogEvent, list, object } from "@ployz/primitives/documents";
import Type from "typebox";

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

/** By kind. */
export const FOLLOWED = { "access-log": Access, audit: Audit, events: Events, logs: Logs } as const;
export type FollowedDocument = AccessDocument | AuditDocument | EventsDocument | LogsDocument;
