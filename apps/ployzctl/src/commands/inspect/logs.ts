import type { LogEvent } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { AccessDocument, AuditDocument, EventsDocument, LogsDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { needLabel, needTarget } from "../../names.ts";
import { needInstance } from "../stream/target.ts";

export async function logs(context: Context, input: Input): Promise<LogsDocument> {
  const target = await logTarget(input.argument("target") ?? "");
  const follow = input.flag("follow");
  const [tail, instance] = [input.number("tail"), input.text("instance")];
  const now = Date.now();
  const [since, end] = [timeOf("since", input, now), timeOf("until", input, now)];
  const previous = input.flag("previous");
  if (follow && (end !== undefined || previous))
    throw usage(`--follow and --${previous ? "previous" : "until"} exclude each other`);
  if (since !== undefined && end !== undefined && since > end) throw usage("--since is later than --until");
  const wanted = matcher(input.text("grep"));
  const client = await context.client();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.signal]);
  const events = client.stream("GET /v1/logs", {
    query: {
      target,
      ...(follow && { follow: "true" as const }),
      ...(tail !== undefined && { tail: String(tail) }),
      ...(since !== undefined && { since: String(since) }),
      ...(end !== undefined && { until: String(end) }),
      ...(previous && { previous: "true" as const }),
      ...(instance !== undefined && { instance }),
      ...(input.flag("stderr") && { stream: "stderr" as const }),
    },
    signal,
  });
  return { kind: "logs", follow, events: until(context, matching(events, wanted), stop) };
}

/** `NS`, `NS/SVC` or `NS/SVC.N`. */
async function logTarget(text: string): Promise<string> {
  if (text.includes("/")) await needInstance("TARGET", text);
  else await needTarget("TARGET", text);
  return text;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10m` ago, or a time, in milliseconds since the epoch. @throws PloyzError `usage`. */
function timeOf(option: "since" | "until", input: Pick<Input, "text">, now: number): number | undefined {
  const text = input.text(option);
  if (text === undefined) return undefined;
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (UNITS[unit] ?? 0);
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw usage(
      `--${option}: ${JSON.stringify(text.slice(0, 60))} is not a time`,
      "for example 10m, 2h, 1d or 2026-01-31T12:00:00Z",
    );
  return Math.max(0, at);
}

export async function access(context: Context, input: Input): Promise<AccessDocument> {
  const [given, named] = [input.argument("target"), input.text("machine")];
  const target = given === undefined ? undefined : await needTarget("TARGET", given);
  const machine = named === undefined ? undefined : await needLabel("--machine", named);
  const follow = input.flag("follow");
  const tail = input.number("tail");
  const now = Date.now();
  const [since, end] = [timeOf("since", input, now), timeOf("until", input, now)];
  if (follow && end !== undefined) throw usage("--follow and --until exclude each other");
  if (since !== undefined && end !== undefined && since > end) throw usage("--since is later than --until");
  const client = await context.client();
  const stop = new AbortController();
  const events = client.stream("GET /v1/access", {
    query: {
      ...(target !== undefined && { target }),
      ...(machine !== undefined && { machine }),
      ...(follow && { follow: "true" as const }),
      ...(tail !== undefined && { tail: String(tail) }),
      ...(since !== undefined && { since: String(since) }),
      ...(end !== undefined && { until: String(end) }),
    },
    signal: AbortSignal.any([stop.signal, context.signal]),
  });
  return { kind: "access-log", follow, events: until(context, events, stop) };
}

function matcher(pattern: string | undefined): RegExp | undefined {
  if (pattern === undefined) return undefined;
  try {
    return new RegExp(pattern, "u");
  } catch (error) {
    throw usage(`--grep: ${(error as Error).message}`);
  }
}

async function* matching(
  events: AsyncIterable<LogEvent>,
  wanted: RegExp | undefined,
): AsyncGenerator<LogEvent> {
  for await (const event of events)
    if (event.type !== "line" || wanted === undefined || wanted.test(event.line)) yield event;
}

export async function audit(context: Context, input: Input): Promise<AuditDocument> {
  const follow = input.flag("follow");
  const tail = input.number("tail");
  const client = await context.client();
  const stop = new AbortController();
  const events = client.stream("GET /v1/audit", {
    query: { ...(follow && { follow: "true" as const }), ...(tail !== undefined && { tail: String(tail) }) },
    signal: AbortSignal.any([stop.signal, context.signal]),
  });
  return { kind: "audit", follow, events: until(context, events, stop) };
}

export async function events(context: Context, input: Input): Promise<EventsDocument> {
  const follow = input.flag("follow");
  const asked = input.text("since") ?? (follow ? undefined : "1h");
  const now = Date.now();
  const from = timeOf("since", { text: () => asked }, now);
  const client = await context.client();
  const stop = new AbortController();
  const found = client.stream("GET /v1/events", {
    query: {
      ...(follow && { follow: "true" as const }),
      ...(from !== undefined && { since: String(Math.max(1, now - from)) }),
    },
    signal: AbortSignal.any([stop.signal, context.signal]),
  });
  return { kind: "events", follow, events: until(context, found, stop) };
}

/** Ctrl-C ends following without an error. */
async function* until<T>(
  { terminal }: Context,
  events: AsyncIterable<T>,
  stop: AbortController,
): AsyncGenerator<T> {
  const release = terminal.onInterrupt(() => stop.abort());
  try {
    yield* events;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    release();
  }
}
