import { type AccessQuery, type AccessRecord, readAccess } from "@ployz/gateway";
import type { Rpc } from "@ployz/nats-store";
import type { Commit } from "@ployz/primitives/protocol";
import type { LogLine, Runtime } from "@ployz/runtime";
import type { EndedInstance, EndedLogs, LogRange } from "../participant/ended-logs.ts";
import type { Records } from "../state/records.ts";

export interface LogReadOptions {
  readonly follow: boolean;
  /** Only the last so many of the lines that are there; all when absent. */
  readonly tail?: number;
  /** Epoch milliseconds. */
  readonly sinceMs?: number;
}

/** The logs of the cluster, and where its instances are. */
export interface LogSources {
  heads(): readonly { readonly commit: Commit }[];
  /** Calls after each change of the heads; returns how to stop. */
  onHeads(listener: () => void): () => void;
  machines(): readonly string[];
  /** One-off instances, and those of operations that run by themselves. */
  runs(): Promise<readonly { readonly id: string; readonly machine: string }[]>;
  /** Of one instance. Ends when the instance is removed. */
  instance(machine: string, id: string, options: LogReadOptions, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Instances that have ended on a machine, and whose logs it keeps. */
  ended(
    machine: string,
    of: { readonly namespace: string; readonly service?: string },
    signal: AbortSignal,
  ): AsyncIterable<EndedInstance>;
  kept(machine: string, id: string, range: LogRange, signal: AbortSignal): AsyncIterable<LogLine>;
}

/** The access logs of the cluster's gateways. */
export interface AccessSources extends Pick<LogSources, "heads" | "onHeads" | "machines"> {
  access(machine: string, query: AccessQuery, signal: AbortSignal): AsyncIterable<AccessRecord>;
}

interface Logged extends Pick<LogSources, "heads" | "onHeads" | "machines" | "runs"> {
  readonly rpc: Rpc;
  readonly self: string;
  readonly runtime: Runtime;
  readonly endedLogs: EndedLogs;
  /** The folder of this machine's access log. */
  readonly accessLog: string;
}

/** A machine that says nothing for this long is a gap in a log. */
const SILENT_MS = 15_000;

/** The logs of all machines. This machine's are read locally: they are most needed when the store is away. */
export function logSources({
  rpc,
  self,
  runtime,
  endedLogs,
  accessLog,
  ...cluster
}: Logged): LogSources & AccessSources {
  const ask = <T>(
    machine: string,
    stream: string,
    args: Parameters<Rpc["callStream"]>[2],
    signal: AbortSignal,
  ) =>
    // Items are as the member that serves the stream sends them.
    rpc.callStream(machine, stream, args, {
      signal,
      silentTimeoutMs: SILENT_MS,
    }) as unknown as AsyncIterable<T>;
  return {
    ...cluster,
    instance: (machine, id, options, signal) =>
      machine === self
        ? runtime.logs(id, { ...options, signal })
        : ask<LogLine>(machine, "logs.stream", { id, ...options }, signal),
    ended: (machine, of, signal) =>
      machine === self ? listed(endedLogs, of) : ask<EndedInstance>(machine, "logs.ended", { ...of }, signal),
    access: (machine, query, signal) =>
      machine === self
        ? readAccess(accessLog, query, signal)
        : ask<AccessRecord>(machine, "access.stream", { ...query }, signal),
    kept: (machine, id, range, signal) =>
      machine === self
        ? endedLogs.read(id, range)
        : ask<LogLine>(machine, "logs.kept", { id, ...range }, signal),
  };
}

/** Jobs, and programs that run with the volumes of a service. */
export const runningAlone = (
  mirror: Pick<Records, "facts">,
): readonly { readonly id: string; readonly machine: string }[] =>
  mirror.facts("running").flatMap(({ value }) => value.instances);

async function* listed(
  logs: EndedLogs,
  { namespace, service }: { readonly namespace: string; readonly service?: string },
): AsyncGenerator<EndedInstance> {
  yield* await logs.list(namespace, service);
}
