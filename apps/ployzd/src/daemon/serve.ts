import { type AccessQuery, readAccess } from "@ployz/gateway";
import { type Session, serve } from "@ployz/nats-store";
import type { Json } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Logger } from "pino";
import { operationRequest } from "../operations/request.ts";
import type { Runner } from "../operations/runner.ts";
import type { EndedLogs } from "../participant/ended-logs.ts";
import { type Handlers, handle } from "../participant/handlers.ts";
import type { FenceGuard } from "../state/fences.ts";

interface Served {
  readonly handlers: Handlers;
  readonly fences: FenceGuard;
  readonly runner: Runner;
  readonly runtime: Runtime;
  readonly endedLogs: EndedLogs;
  readonly accessLog: string;
  readonly log: Logger;
}

/** Answers the other machines: the commands of the protocol, and streams. */
export function serveMember(
  session: Session,
  { handlers, fences, runner, runtime, endedLogs, accessLog, log }: Served,
) {
  return serve(session, {
    calls: Object.fromEntries(
      Object.keys(handlers).map((name) => [
        name,
        async (args: Json, { meta, signal, progress }) =>
          (await handle(handlers, fences, name, args, meta.fence, {
            ...{ signal, progress, caller: meta.caller },
            ...(meta.operation !== undefined && { operation: meta.operation }),
          })) as Json,
      ]),
    ),
    streams: {
      "operation.run": (args) =>
        runner.run(operationRequest(args)) as AsyncIterable<unknown> as AsyncIterable<Json>,
      "logs.stream": async function* (args, { signal }) {
        const { id, ...options } = args as { id: string; follow: boolean; tail?: number; sinceMs?: number };
        for await (const line of runtime.logs(id, { ...options, signal })) yield { ...line };
      },
      "access.stream": async function* (args, { signal }) {
        for await (const record of readAccess(accessLog, args as AccessQuery, signal)) yield { ...record };
      },
      "logs.ended": async function* (args) {
        const { namespace, service } = args as { namespace: string; service?: string };
        for (const ended of await endedLogs.list(namespace, service)) yield { ...ended };
      },
      "logs.kept": async function* (args) {
        const { id, ...range } = args as { id: string; tail?: number; sinceMs?: number; untilMs?: number };
        for await (const line of endedLogs.read(id, range)) yield { ...line };
      },
    },
    onError: (error, command) => log.error({ err: error, command }, "rpc"),
  });
}
