import type { LogEvent } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { LogsDocument } from "../../documents.ts";
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

/** Ctrl-C ends following without an error. */
async function* until(
  { terminal }: Context,
  events: AsyncIterable<LogEvent>,
  stop: AbortController,
): AsyncGenerator<LogEvent> {
  const release = terminal.onInterrupt(() => stop.abort());
  try {
    yield* events;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    release();
  }
}
