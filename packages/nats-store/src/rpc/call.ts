import { nuid } from "nats";
import { queue } from "../client/queue.ts";
import { PloyzError } from "../error-codes.ts";
import type { Json } from "../json.ts";
import type { Session } from "../session.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { type Fence, type Frame, fromWire, type Request } from "./protocol.ts";

/** Limits and context of one call. Times are milliseconds. */
export interface CallOptions {
  /** Total, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly fence?: Fence;
  readonly operation?: string;
  /** Fails after this long without progress. */
  readonly idleTimeoutMs?: number;
  /** Fails after this long without a heartbeat from the machine; a slow but live machine has until `timeoutMs`. */
  readonly silentTimeoutMs?: number;
  /** Gets what the handler reports on its way. */
  readonly onProgress?: (value: Json) => void;
}

/** Limits of a call that yields items. */
export interface StreamOptions extends Omit<CallOptions, "timeoutMs" | "onProgress"> {
  /** Default: none; the stream runs until it ends or the reader leaves. */
  readonly timeoutMs?: number;
  /** Items in flight before the reader takes them. Default 64. */
  readonly window?: number;
}

/** Heartbeats of calls. */
export interface RpcOptions {
  /** Interval of the caller's heartbeats during a long call. Default 5,000 ms. */
  readonly aliveMs?: number;
}

/** Commands of other machines. */
export interface Rpc {
  /**
   * Runs a command on a machine.
   * @throws PloyzError `machine_unreachable` (no listener, or no answer within `silentTimeoutMs`), `deadline_exceeded`, `call_interrupted`
   *   (its daemon restarted meanwhile), `payload_too_large`, `store_unavailable`, or the handler's own error; the abort reason on abort.
   */
  call(machine: string, command: string, args: Json, options: CallOptions): Promise<Json>;
  /** Reads the items that a command yields. Leaving the loop, or aborting, stops the producer. */
  callStream(
    machine: string,
    command: string,
    args: Json,
    options?: StreamOptions,
  ): AsyncGenerator<Json, void>;
}

/** setTimeout's limit; a longer limit gets no timer. */
const longest = 2 ** 31 - 1;

/** Opens calls over a session. */
export function openRpc(session: Session, rpc: RpcOptions = {}): Rpc {
  const request = (mode: Request["mode"], args: Json, options: StreamOptions): Request => ({
    v: 1,
    call: nuid.next(),
    mode,
    args,
    ...(options.timeoutMs !== undefined && options.timeoutMs <= longest && { timeoutMs: options.timeoutMs }),
    aliveMs: Math.min(rpc.aliveMs ?? 5000, (options.silentTimeoutMs ?? Number.POSITIVE_INFINITY) / 3),
    window: options.window ?? 64,
    meta: {
      caller: session.machine,
      ...(options.operation !== undefined && { operation: options.operation }),
      ...(options.fence && { fence: options.fence }),
    },
  });

  return {
    async call(machine, command, args, options) {
      let value: Json = null;
      for await (const frame of frames(session, machine, command, request("call", args, options), options)) {
        if (frame.t === "progress") options.onProgress?.(frame.value);
        if (frame.t === "result") value = frame.value;
      }
      return value;
    },

    async *callStream(machine, command, args, options = {}) {
      const sent = request("stream", args, options);
      let taken = 0;
      for await (const frame of frames(session, machine, command, sent, options)) {
        if (frame.t !== "item") continue;
        yield frame.value;
        taken += 1;
        if (taken % Math.max(1, Math.floor(sent.window / 2)) === 0) frame.taken(taken);
      }
    },
  };
}

type Received = Frame & { taken(count: number): void };

/** The frames of one call until its end. Enforces the deadline, the idle and silence limits, and the caller's signal. */
async function* frames(
  session: Session,
  machine: string,
  command: string,
  request: Request,
  options: StreamOptions,
): AsyncGenerator<Received, void> {
  options.signal?.throwIfAborted();
  const incoming = queue<Frame>();
  const stop = () => incoming.end(options.signal?.reason ?? new Error("aborted"));
  options.signal?.addEventListener("abort", stop, { once: true });
  const deadline =
    request.timeoutMs === undefined
      ? undefined
      : setTimeout(() => incoming.end(late(machine, command, request.timeoutMs ?? 0)), request.timeoutMs);
  const idle = limit(options.idleTimeoutMs, (ms) => incoming.end(stuck(machine, command, ms)));
  const silence = limit(options.silentTimeoutMs, (ms) => incoming.end(silent(machine, command, ms)));
  let open: Exchange | undefined;
  try {
    open = await exchange(
      session,
      { machine, command, request },
      {
        alive: silence.restart,
        frame(frame) {
          idle.restart();
          incoming.push(frame);
        },
        failure: (error) => incoming.end(error),
      },
    );
    const taken = open.taken;
    for (;;) {
      const frame = await incoming.next();
      if (!frame) return;
      if (frame.t === "error") throw fromWire(frame.error, machine);
      yield { ...frame, taken };
      if (frame.t === "result" || frame.t === "end") return;
    }
  } finally {
    clearTimeout(deadline);
    idle.stop();
    silence.stop();
    options.signal?.removeEventListener("abort", stop);
    open?.close();
  }
}

/** Calls `passed` after `ms` without a restart; never without `ms`. */
function limit(ms: number | undefined, passed: (ms: number) => void) {
  const start = () => (ms === undefined ? undefined : setTimeout(passed, ms, ms));
  let timer = start();
  return {
    restart() {
      clearTimeout(timer);
      timer = start();
    },
    stop: () => clearTimeout(timer),
  };
}

const late = (machine: string, command: string, ms: number) =>
  new PloyzError({
    code: "deadline_exceeded",
    message: `machine ${machine} did not finish ${command} within ${ms} ms`,
    hint: `read the log of ployzd on ${machine}, then run the command again; the call there was aborted`,
    details: { machine, command },
  });

const silent = (machine: string, command: string, ms: number) =>
  new PloyzError({
    code: "machine_unreachable",
    message: `machine ${machine} sent no heartbeat for ${ms} ms (${command})`,
    hint: `check that ployzd runs on ${machine} and that it is connected to the mesh (\`ployzctl machine ls\`)`,
    details: { machine, command },
  });

const stuck = (machine: string, command: string, ms: number) =>
  new PloyzError({
    code: "deadline_exceeded",
    message: `machine ${machine} made no progress with ${command} for ${ms} ms`,
    hint: `read the log of ployzd on ${machine}, then run the command again; the call there was aborted`,
    details: { machine, command },
  });
