import Type, { type Static } from "typebox";
import { OperationSummary } from "../model/operation.ts";
import { count, error, list, object, text } from "../model/schema.ts";
import { InstanceState, Lifecycle } from "./views.ts";

/** RFC 3339. */
const at = text();

/** A machine's load, as measured in one look. Sizes are bytes. */
export const MachineSample = object({
  machine: text(),
  handshakeAgeMs: Type.Optional(Type.Number()),
  load1: Type.Number(),
  memoryFreeBytes: count(),
  diskFreeBytes: count(),
});
/** Static type of the schema of this name. */
export type MachineSample = Static<typeof MachineSample>;

/** What an instance uses, as measured in one look. `cpuNanos`: since it was started. */
export const InstanceSample = object({
  id: text(),
  memoryBytes: Type.Optional(count()),
  cpuNanos: Type.Optional(Type.Number()),
});
/** Static type of the schema of this name. */
export type InstanceSample = Static<typeof InstanceSample>;

/** One change of the cluster. Those of the past are operations and commits; the others exist only while someone follows. */
export const ClusterEvent = Type.Union([
  /** The first one of a followed stream: documents read from now on miss nothing. */
  object({ type: Type.Literal("following"), at }),
  object({
    type: Type.Literal("commit"),
    at,
    namespace: text(),
    revision: count(),
    operation: text(),
    primitive: text(),
    by: text(),
    removed: Type.Optional(Type.Literal(true)),
  }),
  /** An operation began, moved on or ended. */
  object({ type: Type.Literal("operation"), at, operation: OperationSummary }),
  /** A member's record. Without a state it is gone. */
  object({ type: Type.Literal("machine"), at, machine: text(), state: Type.Optional(Lifecycle) }),
  object({
    type: Type.Literal("reachable"),
    at,
    machine: text(),
    reachable: Type.Boolean(),
    error: Type.Optional(error()),
  }),
  /** Without a state it is gone. */
  object({
    type: Type.Literal("instance"),
    at,
    id: text(),
    namespace: text(),
    service: text(),
    machine: text(),
    state: Type.Optional(InstanceState),
  }),
  object({
    type: Type.Literal("warning"),
    at,
    state: Type.Enum(["raised", "cleared"]),
    message: text(),
    hint: text(),
  }),
  /** Only where asked for: what one look measured. */
  object({
    type: Type.Literal("sample"),
    at,
    machines: list(MachineSample),
    instances: list(InstanceSample),
  }),
]);
/** Static type of the schema of this name. */
export type ClusterEvent = Static<typeof ClusterEvent>;
