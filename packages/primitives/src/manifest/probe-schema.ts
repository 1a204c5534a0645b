import Type from "typebox";
import { LIMITS } from "../model/limits.ts";
import * as patterns from "../model/patterns.ts";
import { closed, duration } from "./schedule-schema.ts";
import { map, name } from "./schema-fields.ts";

/** A question to an instance. */
const probe = {
  http: Type.Optional(
    Type.String({ pattern: patterns.PROBE_PATH, description: "Path that must answer with 2xx or 3xx." }),
  ),
  host: Type.Optional(
    Type.String({
      pattern: patterns.CHECK_HOST,
      description: "With `http`: the Host. Default `localhost`.",
    }),
  ),
  headers: Type.Optional(
    map(
      patterns.HEADER_NAME,
      Type.String({ pattern: patterns.HEADER_VALUE, minLength: 1, maxLength: 1024 }),
      "With `http`: headers of the request.",
      15,
    ),
  ),
  status: Type.Optional(
    Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), {
      minItems: 1,
      maxItems: 30,
      uniqueItems: true,
      description: "With `http`: the good statuses. Default: all of 2xx and 3xx.",
    }),
  ),
  tcp: Type.Optional(Type.Literal(true, { description: "The port must accept a connection." })),
  exec: Type.Optional(
    Type.Array(Type.String({ pattern: patterns.NO_NUL, maxLength: LIMITS.word }), {
      minItems: 1,
      maxItems: 1000,
      description: "A program that must end with exit code 0 in the instance; never passed through a shell.",
    }),
  ),
  grpc: Type.Optional(
    Type.String({
      pattern: patterns.GRPC_SERVICE,
      description:
        "A gRPC service whose health (`grpc.health.v1`, without TLS) must be SERVING; empty: the whole server.",
    }),
  ),
  port: Type.Optional(name("Name of the service's port. May be left out when the service has exactly one.")),
};

export const ready = Type.Object(
  {
    ...probe,
    settle: Type.Optional(
      duration(
        "Without `http`, `tcp`, `exec` and `grpc`: how long the program must run without ending. Default 1s.",
      ),
    ),
    timeout: Type.Optional(duration("How long a candidate may take. Default 30s.")),
  },
  {
    ...closed,
    description:
      "Readiness: `http`, `tcp`, `exec`, `grpc` or `settle`. Left out: the program must run for a second. A program that has ended since its start is never ready.",
  },
);

export const liveness = Type.Object(
  {
    ...probe,
    every: Type.Optional(duration("From one question to the next. Default 10s.")),
    timeout: Type.Optional(duration("How long one answer may take. Default 5s.")),
    failures: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        description: "So many bad answers in a row make an instance a hung one. Default 3.",
      }),
    ),
  },
  {
    ...closed,
    description:
      "Restarts a hung instance on its machine: `http`, `tcp`, `exec` or `grpc`. Left out: only a program that ends is restarted.",
  },
);
