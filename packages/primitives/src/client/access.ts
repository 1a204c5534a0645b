import Type, { type Static } from "typebox";
import { count, error, object, text } from "../model/schema.ts";

/** A request that a machine's gateway has answered, or a gap in what a machine tells. */
export const AccessEvent = Type.Union([
  object({
    type: Type.Literal("request"),
    /** Of the gateway. */
    machine: text(),
    /** When the answer ended. */
    time: text(),
    /** Absent where no service was routed to. */
    namespace: Type.Optional(text()),
    service: Type.Optional(text()),
    /** Absent where the gateway answered by itself. */
    instance: Type.Optional(text()),
    instanceMachine: Type.Optional(text()),
    /** The peer of the connection, or the one that a trusted proxy names. */
    client: Type.Optional(text()),
    scheme: Type.Optional(text()),
    host: Type.Optional(text()),
    method: Type.Optional(text()),
    /** As the client sent it, without the query. */
    path: Type.Optional(text()),
    protocol: Type.Optional(text()),
    status: count(),
    bytesIn: count(),
    bytesOut: count(),
    queueMs: Type.Optional(count()),
    connectMs: Type.Optional(count()),
    responseMs: Type.Optional(count()),
    totalMs: count(),
    /** The `X-Request-Id` that the instance saw. */
    requestId: Type.Optional(text()),
    /** HAProxy's termination state: `--` is a normal end. */
    ended: text(),
  }),
  object({
    type: Type.Literal("gap"),
    machine: text(),
    error: error(),
  }),
]);
/** Static type of the schema of this name. */
export type AccessEvent = Static<typeof AccessEvent>;

/** Streams of the local API. */
export interface AccessApi {
  /**
   * Requests that the gateways of all machines, or of one, have answered, where they are logged. `target`: NAMESPACE or NAMESPACE/SERVICE; the other
   * fields as for logs, `tail` counting for each machine.
   */
  "GET /v1/access": {
    query: {
      target?: string;
      machine?: string;
      follow?: "true";
      tail?: string;
      since?: string;
      until?: string;
    };
    body: undefined;
    event: AccessEvent;
  };
}
