import { errorBody } from "@ployz/errors";
import { createBackoff } from "@ployz/exec";
import type { LogEvent } from "@ployz/primitives/client";
import type { Instance } from "@ployz/primitives/protocol";
import type { LogReadOptions, LogSources } from "../daemon/log-sources.ts";
import { PloyzError } from "../error-codes.ts";
import { mergedByTime, timeWindow } from "./merge.ts";
import { needTarget } from "./named.ts";

type Placed = Instance & { readonly namespace: string };

/** Followed lines that arrive within this time of each other are put in order. */
const WINDOW_MS = 200;
/** Lines read of an instance that started while its service was being followed, or after a time without its machine. */
const CATCH_UP_LINES = 1_000;

const timeOf = (event: LogEvent): string => (event.type === "line" ? event.time : "");

/**
 * Log lines of every instance of a namespace, or of one of its services, in the order of time; or the kept output of a job's last run. Followed, it
 * picks up the instances that later commits bring. A failing machine is a gap, not an end.
 */
export async function* mergedLogs(
  sources: LogSources,
  target: string,
  options: LogReadOptions,
  signal: AbortSignal,
): AsyncIterable<LogEvent> {
  const [namespace = "", service] = target.split("/");
  const commit = () => sources.heads().find((head) => head.commit.namespace === namespace)?.commit;
  const instances = (): readonly Placed[] =>
    (commit()?.instances ?? [])
      .filter((instance) => service === undefined || instance.service === service)
      .map((instance) => ({ ...instance, namespace }));
  const deployed =
    service === undefined ? instances().length > 0 : Object.hasOwn(commit()?.services ?? {}, service);
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  try {
    if (deployed && options.follow) yield* followed(sources, instances, options.tail, both);
    else if (deployed)
      yield* mergedByTime(
        instances().map((instance) => linesOf(sources, instance, options, both)),
        timeOf,
      );
    else {
      let found = false;
      for await (const event of keptLines(
        sources,
        { namespace, job: service ?? "", tail: options.tail },
        both,
      )) {
        found ||= event.type === "line";
        if (found) yield event;
      }
      if (!found) {
        needTarget(sources.heads(), namespace, service);
        throw nothing(target);
      }
    }
  } finally {
    stop.abort();
  }
}

const nothing = (target: string) =>
  new PloyzError({
    code: "no_such_service",
    message: `${target} has no logs: nothing of it is deployed, and no job of that name has run lately`,
    hint: "ployzctl ps",
  });

/** One instance's lines; a gap when its machine fails. */
async function* linesOf(
  sources: LogSources,
  { namespace, machine, service, id }: Placed,
  options: LogReadOptions,
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  try {
    for await (const line of sources.instance(machine, id, options, signal))
      yield { type: "line", machine, namespace, service, instance: id, ...line };
  } catch (error) {
    if (!signal.aborted) yield { type: "gap", machine, error: errorBody(error) };
  }
}

async function* keptLines(
  sources: LogSources,
  job: { readonly namespace: string; readonly job: string; readonly tail: number },
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  const of = async function* (machine: string): AsyncGenerator<LogEvent> {
    try {
      for await (const line of sources.job(machine, job, signal))
        yield { type: "line", machine, namespace: job.namespace, service: job.job, ...line };
    } catch (error) {
      if (!signal.aborted) yield { type: "gap", machine, error: errorBody(error) };
    }
  };
  if (job.job !== "") yield* mergedByTime(sources.machines().map(of), timeOf);
}

async function* followed(
  sources: LogSources,
  instances: () => readonly Placed[],
  tail: number,
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  const window = timeWindow<LogEvent>(WINDOW_MS, timeOf, signal);
  const read = new Set<string>();
  const present = (id: string) => instances().some((instance) => instance.id === id);
  const attach = (lines: number) => {
    for (const instance of instances()) {
      if (read.has(instance.id)) continue;
      read.add(instance.id);
      void keepReading(instance, lines);
    }
  };
  /** Reads on after an interruption from the last line that was read. */
  async function keepReading(instance: Placed, lines: number): Promise<void> {
    const backoff = createBackoff(500, 5_000);
    let last = "";
    let broken = false;
    for (let take = lines; !signal.aborted; take = CATCH_UP_LINES) {
      let failed = false;
      for await (const event of linesOf(sources, instance, { follow: true, tail: take }, signal)) {
        failed = event.type === "gap";
        if (failed ? broken : timeOf(event) <= last) continue;
        broken = failed;
        if (!failed) {
          last = timeOf(event);
          backoff.reset();
        }
        await window.push(event);
      }
      if (!failed || !present(instance.id)) return;
      await backoff.pause(signal);
    }
  }
  const off = sources.onHeads(() => attach(CATCH_UP_LINES));
  try {
    attach(tail);
    yield* window;
  } finally {
    off();
  }
}
