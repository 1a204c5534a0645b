import { type Session, serve } from "@ployz/nats-store";
import type { Json } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Logger } from "pino";
import { operationRequest } from "../operations/request.ts";
import type { Runner } from "../operations/runner.ts";
import { type Handlers, handle } from "../participant/handlers.ts";
import type { JobLogs } from "../participant/job-logs.ts";
import type { FenceGuard } from "../state/fences.ts";

interface Served {
  readonly handlers: Handlers;
  readonly fences: FenceGuard;
  readonly runner: Runner;
  readonly runtime: Runtime;
  readonly jobLogs: JobLogs;
  readonly log: Logger;
}

/** Answers the other machines: the commands of the protocol, and streams. */
export function serveMember(session: Session, { handlers, fences, runner, runtime, jobLogs, log }: Served) {
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
        const { id, follow, tail } = args as { id: string; follow: boolean; tail: number };
        for await (const line of runtime.logs(id, { follow, tail, signal })) yield { ...line };
      },
      "logs.job": async function* (args) {
        const { namespace, job, tail } = args as { namespace: string; job: string; tail: number };
        for await (const line of jobLogs.read(namespace, job, tail)) yield { ...line };
      },
    },
    onError: (error, command) => log.error({ err: error, command }, "rpc"),
  });
}
