import Type, { type Static } from "typebox";
import { count, list, map, object, text } from "./schema.ts";

const http = {
  ...{ kind: Type.Literal("http"), path: text(), port: text() },
  /** Of the request; `localhost` when absent. */
  host: Type.Optional(text()),
  headers: Type.Optional(map(text())),
  /** The good ones; 200 to 399 when absent. */
  status: Type.Optional(list(count())),
};
const tcp = { kind: Type.Literal("tcp"), port: text() };
/** A program in the instance that ends with exit code 0. */
const exec = { kind: Type.Literal("exec"), argv: list(text()) };
/** `grpc.health.v1.Health/Check` over HTTP/2 without TLS; an empty `service` is the whole server. */
const grpc = { kind: Type.Literal("grpc"), service: text(), port: text() };

/** A question to an instance, and what counts as a good answer. */
export const Probe = Type.Union([object(http), object(tcp), object(exec), object(grpc)]);
/** Static type of the schema of this name. */
export type Probe = Static<typeof Probe>;

const timeoutMs = count();
/** When an instance counts as ready. Times are milliseconds. */
export const Readiness = Type.Union([
  object({ ...http, timeoutMs }),
  object({ ...tcp, timeoutMs }),
  object({ ...exec, timeoutMs }),
  object({ ...grpc, timeoutMs }),
  /** No request: its program must run for `settleMs` without ending. */
  object({ kind: Type.Literal("running"), settleMs: count(), timeoutMs }),
]);
/** Static type of the schema of this name. */
export type Readiness = Static<typeof Readiness>;

/** When an instance that runs counts as hung: its machine then restarts it. Times are milliseconds. */
export const Liveness = object({
  probe: Probe,
  /** From one question to the next. */
  everyMs: count(),
  /** Of one answer. */
  timeoutMs,
  /** So many bad answers in a row. */
  failures: count(),
});
/** Static type of the schema of this name. */
export type Liveness = Static<typeof Liveness>;
