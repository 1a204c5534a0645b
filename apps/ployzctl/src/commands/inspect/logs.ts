import type { Context, Input } from "../../command.ts";
import type { AuditDocument, LogsDocument } from "../../documents.ts";
import { needTarget } from "../../names.ts";

export async function logs(context: Context, input: Input): Promise<LogsDocument> {
  const target = await needTarget("TARGET", input.argument("target") ?? "");
  const follow = input.flag("follow");
  const tail = input.number("tail");
  const client = await context.client();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.signal]);
  const events = client.stream("GET /v1/logs", {
    query: {
      target,
      ...(follow && { follow: "true" as const }),
      ...(tail !== undefined && { tail: String(tail) }),
    },
    signal,
  });
  return { kind: "logs", follow, events: until(context, events, stop) };
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
