import { errorBody } from "@ployz/errors";
import { createBackoff } from "@ployz/exec";
import type { AccessEvent } from "@ployz/primitives/client";
import type { AccessSources } from "../daemon/log-sources.ts";
import { PloyzError } from "../error-codes.ts";
import { logQuery } from "./log-query.ts";
import { mergedByTime, timeWindow } from "./merge.ts";
import { needTarget } from "./named.ts";

export interface AccessAsked {
  /** NAMESPACE or NAMESPACE/SERVICE; absent: all. */
  readonly target?: string;
  readonly machine?: string;
  readonly follow: boolean;
  /** Last lines of each machine; absent: all. */
  readonly tail?: number;
  /** Epoch milliseconds. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Followed lines that arrive within this time of each other are put in order. */
const WINDOW_MS = 200;

const timeOf = (event: AccessEvent): string => (event.type === "gap" ? "" : event.time);

/** @throws PloyzError `invalid_input`, naming the field. */
export function accessAsked(query: Readonly<Record<string, string | undefined>>): AccessAsked {
  const { target, machine } = query;
  const { follow, tail, sinceMs, untilMs } = logQuery(query);
  return {
    follow,
    ...(target !== undefined && { target }),
    ...(machine !== undefined && { machine }),
    ...(tail !== undefined && { tail }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

/** Requests that the gateways of all machines, or of one, have answered, in the order of time. A failing machine is a gap, not an end. */
export async function* mergedAccess(
  logs: AccessSources,
  { target, machine, ...asked }: AccessAsked,
  signal: AbortSignal,
): AsyncIterable<AccessEvent> {
  const [namespace, service] = target?.split("/") ?? [];
  if (namespace !== undefined) needTarget(logs.heads(), namespace, service);
  if (machine !== undefined && !logs.machines().includes(machine))
    throw new PloyzError({
      code: "no_such_machine",
      message: `there is no machine ${JSON.stringify(machine.slice(0, 63))}`,
      hint: `the machines are ${[...logs.machines()].sort().join(", ")}`,
    });
  const query = { ...asked, ...(namespace && { namespace }), ...(service && { service }) };
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const machines = () => logs.machines().filter((id) => machine === undefined || id === machine);
  try {
    if (query.follow) yield* followed(logs, machines, query, both);
    else
      yield* mergedByTime(
        machines().map((id) => linesOf(logs, id, query, both)),
        timeOf,
      );
  } finally {
    stop.abort();
  }
}

type Query = Parameters<AccessSources["access"]>[1];

async function* linesOf(
  logs: AccessSources,
  machine: string,
  query: Query,
  signal: AbortSignal,
): AsyncGenerator<AccessEvent> {
  try {
    for await (const record of logs.access(machine, query, signal))
      yield { type: "request", machine, ...record };
  } catch (error) {
    if (!signal.aborted) yield { type: "gap", machine, error: errorBody(error) };
  }
}

async function* followed(
  logs: AccessSources,
  machines: () => readonly string[],
  query: Query,
  signal: AbortSignal,
): AsyncGenerator<AccessEvent> {
  const window = timeWindow<AccessEvent>(WINDOW_MS, timeOf, signal);
  const read = new Set<string>();
  const attach = (): void => {
    for (const machine of machines()) {
      if (read.has(machine)) continue;
      read.add(machine);
      void keepReading(machine);
    }
  };
  /** Reads on after an interruption from the last line that was read. */
  async function keepReading(machine: string): Promise<void> {
    const backoff = createBackoff(500, 5_000);
    /** Of the last millisecond. */
    let last = { time: "", lines: new Set<string>() };
    let broken = false;
    for (let take = query; !signal.aborted && machines().includes(machine); ) {
      for await (const event of linesOf(logs, machine, take, signal)) {
        if (event.type === "gap") {
          if (!broken) await window.push(event);
          broken = true;
          continue;
        }
        broken = false;
        backoff.reset();
        const line = JSON.stringify(event);
        if (event.time === last.time && last.lines.has(line)) continue;
        last = {
          time: event.time,
          lines: (event.time === last.time ? last.lines : new Set<string>()).add(line),
        };
        await window.push(event);
      }
      const { tail: _, ...rest } = query;
      take = { ...rest, sinceMs: last.time === "" ? (query.sinceMs ?? Date.now()) : Date.parse(last.time) };
      await backoff.pause(signal);
    }
    read.delete(machine);
  }
  const off = logs.onHeads(attach);
  try {
    attach();
    yield* window;
  } finally {
    off();
  }
}
