import { AuditEntry, ClusterEvent, LogEvent, list, object } from "@ployz/primitives/documents";
import Type from "typebox";

/** Documents that are printed as they arrive. */
export const Audit = object({ kind: Type.Literal("audit"), entries: list(AuditEntry) });
/** Printed like logs: with `--json` and `--follow` one entry per line; else one document. */
export type AuditDocument = {
  readonly kind: "audit";
  readonly follow: boolean;
  readonly events: AsyncIterable<AuditEntry>;
};
export const Logs = object({ kind: Type.Literal("logs"), events: list(LogEvent) });
/** Printed as they arrive. With `--json` and `--follow`: one event per line; else one document of the kind `logs`. */
export type LogsDocument = {
  readonly kind: "logs";
  readonly follow: boolean;
  readonly events: AsyncIterable<LogEvent>;
};
export const Events = object({ kind: Type.Literal("events"), events: list(ClusterEvent) });
/** Printed like logs: with `--json` and `--follow` one event per line; else one document. */
export type EventsDocument = {
  readonly kind: "events";
  readonly follow: boolean;
  readonly events: AsyncIterable<ClusterEvent>;
};
