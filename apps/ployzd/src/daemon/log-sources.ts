import type { Rpc } from "@ployz/nats-store";
import type { Commit } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { JobLine, JobLogs } from "../participant/job-logs.ts";

type LogItem = { readonly time: string; readonly stream: "stdout" | "stderr"; readonly line: string };
export type LogReadOptions = { readonly follow: boolean; readonly tail: number };

/** The logs of the cluster, and where its instances are. */
export interface LogSources {
  heads(): readonly { readonly commit: Commit }[];
  /** Calls after each change of the heads; returns how to stop. */
  onHeads(listener: () => void): () => void;
  machines(): readonly string[];
  /** Of one instance. Ends when the instance is removed. */
  instance(machine: string, id: string, options: LogReadOptions, signal: AbortSignal): AsyncIterable<LogItem>;
  /** The kept output of a job's last run on a machine. */
  job(
    machine: string,
    job: { readonly namespace: string; readonly job: string; readonly tail: number },
    signal: AbortSignal,
  ): AsyncIterable<JobLine>;
}

interface Logged extends Pick<LogSources, "heads" | "onHeads" | "machines"> {
  readonly rpc: Rpc;
  readonly self: string;
  readonly runtime: Runtime;
  readonly jobLogs: JobLogs;
}

/** A machine that says nothing for this long is a gap in a log. */
const SILENT_MS = 15_000;

/** The logs of all machines. This machine's are read locally: they are most needed when the store is away. */
export function logSources({ rpc, self, runtime, jobLogs, ...cluster }: Logged): LogSources {
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
        : ask<LogItem>(machine, "logs.stream", { id, ...options }, signal),
    job: (machine, { namespace, job, tail }, signal) =>
      machine === self
        ? jobLogs.read(namespace, job, tail)
        : ask<JobLine>(machine, "logs.job", { namespace, job, tail }, signal),
  };
}
