import type { Msg, NatsConnection, Subscription } from "nats";
import { PloyzError } from "../error-codes.ts";
import { decode, encode, type Json } from "../json.ts";
import { controlSubject, isReply, rpcSubjects } from "../names.ts";
import type { Session } from "../session.ts";
import { type Progress, sendItems } from "./items.ts";
import { type CallMeta, type Control, type Frame, isFinal, type Request, toWire } from "./protocol.ts";

/** What a handler knows of its call. */
export interface CallContext {
  readonly command: string;
  readonly meta: CallMeta;
  /** Aborts at the caller's deadline, when the caller cancels, and when it is gone. */
  readonly signal: AbortSignal;
  /** Sends progress to the caller; also counts as a heartbeat. */
  progress(value: Json): void;
}

/** Answers one command; an error goes to the caller. */
export type CallHandler = (args: Json, context: CallContext) => Promise<Json>;
/** Yields the items of one command; stopped when the caller leaves. */
export type StreamHandler = (args: Json, context: CallContext) => AsyncIterable<Json>;

/** The commands that this machine answers, by name. */
export interface Handlers {
  readonly calls?: Readonly<Record<string, CallHandler>>;
  readonly streams?: Readonly<Record<string, StreamHandler>>;
  /** Bugs (plain errors) and unreadable messages. */
  readonly onError?: (error: unknown, command: string) => void;
}

interface Running extends Progress {
  reply: string;
  lastSign: number;
  final?: Frame;
  readonly abort: AbortController;
}

/** How long to keep a finished call's answer for a caller that missed it. */
const keepFinalMs = 60_000;
/** A call that takes longer than this confirms that it was accepted. */
const acceptAfterMs = 50;

/** Answers this machine's commands until closed. Survives reconnects; a request sent twice runs once. */
export function serve(
  session: Session,
  handlers: Handlers,
): {
  /** Resolves when commands are accepted for the first time. */
  ready(): Promise<void>;
  /** Accepts no more commands, and aborts the running ones. */
  close(): void;
} {
  const subject = rpcSubjects(session.cluster, session.machine);
  const prefix = subject.slice(0, -1);
  const control = controlSubject(session.cluster, session.machine, "x").slice(0, -1);
  const calls = new Map<string, Running>();
  let served: NatsConnection | undefined;
  let subscription: Subscription | undefined;
  let closed = false;

  const send = (running: Running, frame: Frame) => {
    const bytes = encode(frame);
    const limit = served?.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (bytes.length > limit)
      return send(running, { t: "error", error: toWire(tooLarge(bytes.length, limit)) });
    if (isFinal(frame)) running.final = frame;
    try {
      served?.publish(running.reply, bytes);
    } catch {
      // The connection is closed; a final frame is kept for when the caller asks.
    }
  };

  const start = async (command: string, request: Request, reply: string) => {
    const abort = new AbortController();
    const running: Running = { reply, taken: 0, sent: 0, lastSign: performance.now(), abort };
    calls.set(request.call, running);
    const accepted = setTimeout(() => send(running, { t: "accepted" }), acceptAfterMs);
    const deadline =
      request.timeoutMs === undefined
        ? undefined
        : setTimeout(() => abort.abort(late(command)), request.timeoutMs);
    const pulse = setInterval(() => {
      if (!session.connected()) running.lastSign = performance.now();
      if (performance.now() - running.lastSign > request.aliveMs * 4) abort.abort(gone(command));
    }, request.aliveMs);
    pulse.unref();
    try {
      const context: CallContext = {
        command,
        meta: request.meta,
        signal: abort.signal,
        progress: (value) => running.final === undefined && send(running, { t: "progress", value }),
      };
      send(running, await handle(command, request, context, running));
    } catch (error) {
      if (abort.signal.aborted) return send(running, { t: "error", error: toWire(abort.signal.reason) });
      if (!(error instanceof PloyzError)) handlers.onError?.(error, command);
      send(running, { t: "error", error: toWire(error) });
    } finally {
      clearTimeout(accepted);
      clearTimeout(deadline);
      clearInterval(pulse);
      setTimeout(() => calls.delete(request.call), keepFinalMs).unref();
    }
  };

  const handle = async (
    command: string,
    request: Request,
    context: CallContext,
    running: Running,
  ): Promise<Frame> => {
    if (request.mode === "stream") {
      const handler = own(handlers.streams, command);
      if (!handler) throw unknownCommand(session.machine, command);
      await sendItems(handler(request.args, context), running, {
        window: request.window,
        signal: context.signal,
        send: (value, n) => send(running, { t: "item", n, value }),
      });
      return { t: "end", n: running.sent };
    }
    const handler = own(handlers.calls, command);
    if (!handler) throw unknownCommand(session.machine, command);
    const value = await handler(request.args, context);
    return { t: "result", value: value ?? null };
  };

  const onControl = (call: string, message: Msg) => {
    const running = calls.get(call);
    const said = decode<Control>(message.data);
    if (!running) {
      if (said.t === "alive" && isReply(message.reply))
        served?.publish(message.reply, encode({ t: "unknown" } satisfies Frame));
      return;
    }
    running.lastSign = performance.now();
    if (said.t === "cancel") return running.abort.abort(cancelled());
    if (isReply(message.reply)) running.reply = message.reply;
    running.taken = Math.max(running.taken, said.taken);
    running.wake?.();
    send(running, running.final ?? { t: "running", sent: running.sent });
  };

  const onMessage = (message: Msg) => {
    try {
      if (message.subject.startsWith(control))
        return onControl(message.subject.slice(control.length), message);
      if (!isReply(message.reply)) return;
      const request = decode<Request>(message.data);
      const known = calls.get(request.call);
      if (known) {
        known.reply = message.reply;
        if (known.final) send(known, known.final);
        return;
      }
      void start(message.subject.slice(prefix.length), request, message.reply);
    } catch (error) {
      handlers.onError?.(error, message.subject.slice(prefix.length));
    }
  };

  const attach = async () => {
    const { nc } = await session.link();
    if (nc === served || closed) return;
    served = nc;
    subscription = nc.subscribe(subject, {
      callback: (error, message) => (error ? handlers.onError?.(error, "") : onMessage(message)),
    });
    await nc.flush();
  };
  const off = session.onEvent((event) => {
    if (event === "connected") attach().catch((error: unknown) => handlers.onError?.(error, ""));
  });
  const first = attach();
  first.catch(() => undefined);

  return {
    ready: () => first,
    close() {
      closed = true;
      off();
      for (const running of calls.values()) running.abort.abort(cancelled());
      subscription?.unsubscribe();
      served = undefined;
    },
  };
}

const own = <T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  table && Object.hasOwn(table, name) ? table[name] : undefined;

const unknownCommand = (machine: string, command: string) =>
  new PloyzError({
    code: "command_unknown",
    message: `machine ${machine} does not know the command ${command}`,
    hint: `its daemon has another version: ployzctl machine update ${machine}`,
  });

const late = (command: string) =>
  new PloyzError({
    code: "deadline_exceeded",
    message: `${command} did not finish within the caller's deadline`,
  });

const gone = (command: string) =>
  new PloyzError({
    code: "caller_gone",
    message: `the machine that called ${command} stopped sending heartbeats`,
  });

const cancelled = () => new PloyzError({ code: "call_cancelled", message: "the call was cancelled" });

const tooLarge = (bytes: number, limit: number) =>
  new PloyzError({
    code: "payload_too_large",
    message: `the answer has ${bytes} bytes; one message may have ${limit}`,
    hint: "request less at a time",
  });
