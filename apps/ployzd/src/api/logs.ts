import { errorBody } from "@ployz/errors";
import { createBackoff } from "@ployz/exec";
import type { LogEvent } from "@ployz/primitives/client";
import type { Instance } from "@ployz/primitives/protocol";
import type { LogLine } from "@ployz/runtime";
import type { LogSources } from "../daemon/log-sources.ts";
import { PloyzError } from "../error-codes.ts";
import { endedSources, type Source } from "./ended-sources.ts";
import { mergedByTime, timeWindow } from "./merge.ts";
import { needTarget } from "./named.ts";

export interface LogQuery {
  readonly follow: boolean;
  /** Last lines of each instance; absent: all. */
  readonly tail?: number;
  /** Epoch milliseconds. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Of the instances that were replaced or have ended. */
  readonly previous?: boolean;
  /** Only of this one. */
  readonly instance?: string;
  readonly stream?: LogLine["stream"];
}

/** Followed lines that arrive within this time of each other are put in order. */
const WINDOW_MS = 200;
/** Lines read of an instance that started while its service was being followed, or after a time without its machine. */
const CATCH_UP_LINES = 1_000;

const timeOf = (event: LogEvent): string => (event.type === "gap" ? "" : event.time);

/**
 * Log lines of every instance of a namespace, or of one of its services, in the order of time. Those that have ended are shown with
 * a time, with `previous`, and when nothing is deployed. Followed, it picks up the instances that later commits bring. A failing
 * machine is a gap, not an end.
 */
export async function* mergedLogs(
  sources: LogSources,
  target: string,
  query: LogQuery,
  signal: AbortSignal,
): AsyncIterable<LogEvent> {
  const [namespace = "", of] = target.split("/");
  const [service, slot] = of?.split(".") ?? [];
  const wanted = ({ id }: { readonly id: string }) => slot === undefined || id.split(".")[2] === slot;
  const commit = () => sources.heads().find((head) => head.commit.namespace === namespace)?.commit;
  const instances = (): readonly Source[] =>
    (commit()?.instances ?? [])
      .filter((instance) => (service === undefined || instance.service === service) && wanted(instance))
      .map((instance: Instance) => ({ ...instance, namespace, ended: false }));
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  try {
    if (query.instance !== undefined) {
      const one = await findInstance(sources, { namespace, id: query.instance, present: instances() }, both);
      return yield* one.ended || !query.follow
        ? linesOf(sources, one, query, both)
        : followed(sources, () => [one], { ...query, namespace }, both);
    }
    const deployed =
      service === undefined ? instances().length > 0 : Object.hasOwn(commit()?.services ?? {}, service);
    if (deployed && query.follow && query.sinceMs !== undefined) {
      const { sinceMs } = query;
      const { found, gaps } = await endedSources(sources, { namespace, service, sinceMs, all: true }, both);
      yield* gaps;
      yield* mergedByTime(
        found.filter(wanted).map((one) => linesOf(sources, one, { ...query, follow: false }, both)),
        timeOf,
      );
    }
    if (deployed && slot !== undefined && instances().length === 0 && query.previous !== true)
      throw noInstance(`${namespace}/${service} has no instance ${slot}`, target);
    if (deployed && query.follow)
      return yield* followed(sources, instances, { ...query, namespace, commit }, both);
    const ranged = query.sinceMs !== undefined || query.untilMs !== undefined;
    const { found: all, gaps } =
      !deployed || ranged || query.previous === true
        ? await endedSources(sources, { namespace, service, sinceMs: query.sinceMs, all: ranged }, both)
        : { found: [], gaps: [] };
    const found = all.filter(wanted);
    const live = query.previous === true ? [] : instances();
    if (!deployed && found.length === 0) {
      needTarget(sources.heads(), namespace, service);
      throw nothing(target, service !== undefined && Object.hasOwn(commit()?.jobs ?? {}, service));
    }
    if (query.previous === true && found.length === 0 && gaps.length === 0)
      throw noInstance(`no instance of ${target} has been replaced or has ended lately`, target);
    yield* gaps;
    yield* mergedByTime(
      [...live, ...found].map((one) => linesOf(sources, one, query, both)),
      timeOf,
    );
  } finally {
    stop.abort();
  }
}

const nothing = (target: string, isJob: boolean) =>
  new PloyzError({
    code: "no_such_service",
    message: isJob
      ? `${target} has no logs: the job has not run lately`
      : `${target} has no logs: nothing of it is deployed, and no job of that name has run lately`,
    hint: isJob ? `ployzctl schedule ls; ployzctl ops ls` : "ployzctl ps",
  });

const noInstance = (message: string, target: string) =>
  new PloyzError({ code: "no_such_instance", message, hint: `ployzctl logs ${target.split(".")[0]}` });

async function findInstance(
  sources: LogSources,
  {
    namespace,
    id,
    present,
  }: { readonly namespace: string; readonly id: string; readonly present: readonly Source[] },
  signal: AbortSignal,
): Promise<Source> {
  const committed = present.find((instance) => instance.id === id);
  if (committed !== undefined) return committed;
  const [of = "", service = ""] = id.split(".");
  const run = (await sources.runs()).find((one) => one.id === id && of === namespace);
  if (run !== undefined) return { ...run, namespace, service, ended: false };
  const { found } = await endedSources(
    sources,
    { namespace, service, sinceMs: undefined, all: true },
    signal,
  );
  const ended = found.find((one) => one.id === id);
  if (ended !== undefined) return ended;
  throw new PloyzError({
    code: "no_such_instance",
    message: `no machine has a log of ${id} in ${namespace}`,
    hint: `ids are in ployzctl ps --json, and in the lines of: ployzctl logs ${namespace} --since 1d --json`,
  });
}

/** One instance's lines; a gap when its machine fails. */
async function* linesOf(
  sources: LogSources,
  { namespace, machine, service, id, ended }: Source,
  { follow, tail, sinceMs, untilMs = Number.POSITIVE_INFINITY, stream }: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  const range = { ...(tail !== undefined && { tail }), ...(sinceMs !== undefined && { sinceMs }) };
  try {
    const lines = ended
      ? sources.kept(machine, id, range, signal)
      : sources.instance(machine, id, { follow, ...range }, signal);
    for await (const line of lines) {
      const at = Date.parse(line.time);
      if (at > untilMs) return;
      if (at < (sinceMs ?? 0) || (stream !== undefined && line.stream !== stream)) continue;
      yield { type: "line", machine, namespace, service, instance: id, ...line };
    }
  } catch (error) {
    if (!signal.aborted) yield { type: "gap", machine, error: errorBody(error) };
  }
}

type Following = LogQuery & {
  readonly namespace: string;
  /** The last commit; absent: one instance, whatever is committed. */
  readonly commit?: () => { readonly operation: string; readonly primitive: string } | undefined;
};

async function* followed(
  sources: LogSources,
  instances: () => readonly Source[],
  { namespace, commit, ...query }: Following,
  signal: AbortSignal,
): AsyncGenerator<LogEvent> {
  const window = timeWindow<LogEvent>(WINDOW_MS, timeOf, signal);
  const read = new Set<string>();
  let known: readonly string[] = instances().map(({ id }) => id);
  const present = (id: string) => instances().some((instance) => instance.id === id);
  const attach = (first: LogQuery) => {
    for (const instance of instances()) {
      if (read.has(instance.id)) continue;
      read.add(instance.id);
      void keepReading(instance, first);
    }
  };
  const tell = () => {
    const now = instances().map(({ id }) => id);
    const started = now.filter((id) => !known.includes(id));
    const ended = known.filter((id) => !now.includes(id));
    known = now;
    const { operation, primitive } = commit?.() ?? {};
    if (operation === undefined || primitive === undefined || started.length + ended.length === 0) return;
    void window.push({
      ...{ type: "change", namespace, primitive, operation, started, ended },
      time: new Date().toISOString(),
    });
  };
  /** Reads on after an interruption from the last line that was read. */
  async function keepReading(instance: Source, first: LogQuery): Promise<void> {
    const backoff = createBackoff(500, 5_000);
    let last = "";
    let broken = false;
    for (let take = first; !signal.aborted; take = { ...query, tail: CATCH_UP_LINES }) {
      let failed = false;
      for await (const event of linesOf(sources, instance, take, signal)) {
        failed = event.type === "gap";
        if (failed ? broken : timeOf(event) <= last) continue;
        broken = failed;
        if (!failed) {
          last = timeOf(event);
          backoff.reset();
        }
        await window.push(event);
      }
      if (!failed || !present(instance.id)) break;
      await backoff.pause(signal);
    }
    if (commit === undefined) ended.abort();
  }
  const ended = new AbortController();
  const off = sources.onHeads(() => {
    tell();
    attach({ ...query, tail: CATCH_UP_LINES });
  });
  try {
    attach(query);
    yield* window;
  } finally {
    off();
  }
}
