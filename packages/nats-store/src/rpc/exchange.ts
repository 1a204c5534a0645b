import { createInbox, type Msg, type NatsConnection } from "nats";
import { PloyzError } from "../error-codes.ts";
import { unavailable } from "../errors.ts";
import { decode, encode } from "../json.ts";
import { controlSubject, inboxPrefix, rpcSubject } from "../names.ts";
import type { Link, Session } from "../session.ts";
import { type Control, type Frame, isFinal, type Request } from "./protocol.ts";

export interface Exchange {
  /** Tells the callee how many items the reader took. */
  taken(count: number): void;
  /** Ends the exchange; notifies the callee unless it sent its final answer. */
  close(): void;
}

/** After a server restart the other machines reconnect within moments: until then a missing responder does not mean "unreachable". */
const reconnectGraceMs = 2000;
const noResponderStrikes = 3;
/** Delay between attempts: by then a machine with a broken connection is back, and a restarted daemon no longer knows the call. */
const strikeMs = 1000;

/**
 * One request and its replies. Survives a reconnect: the callee keeps final answers for a caller that missed them, and distinguishes an
 * unknown call from a running one. `on.alive` gets every heartbeat, `on.frame` gets progress, items and the final frame; `on.failure` ends
 * the exchange.
 */
export async function exchange(
  session: Session,
  to: { readonly machine: string; readonly command: string; readonly request: Request },
  on: { alive(): void; frame(frame: Frame): void; failure(error: PloyzError): void },
): Promise<Exchange> {
  const { machine, command, request } = to;
  const subject = rpcSubject(session.cluster, machine, command);
  const control = controlSubject(session.cluster, machine, request.call);
  const link = await connection(session, command, machine, request.timeoutMs);
  const { nc } = link;
  const body = encode(request);
  const limit = nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
  if (body.length > limit) throw tooLarge(command, body.length, limit);

  const inbox = createInbox(inboxPrefix(session.machine));
  let open = true;
  let answered = false;
  let received = 0;
  let taken = 0;
  let strikes = 0;
  /** When the oldest message was sent that has got neither a frame nor a refusal. */
  let waitingSince: number | undefined;
  /** How long the machine had been silent when the server noticed: no time at all for a killed daemon, whose connection closes. */
  let silentMs = 0;
  let retry: NodeJS.Timeout | undefined;

  const waits = () => {
    waitingSince ??= performance.now();
  };
  const send = () => {
    waits();
    publish(nc, subject, body, `${inbox}.r`);
  };
  const say = (message: Control) => {
    waits();
    publish(nc, control, encode(message), `${inbox}.c`);
  };
  const alive = () => say({ t: "alive", taken });
  const finish = () => {
    open = false;
    clearTimeout(retry);
    clearInterval(pulse);
    off();
    subscription.unsubscribe();
  };
  const fail = (error: PloyzError) => {
    if (!open) return;
    finish();
    on.failure(error);
  };

  const onNoResponders = (toControl: boolean) => {
    const since = session.sinceReconnectMs();
    const settling = since !== undefined && since <= reconnectGraceMs;
    if (!toControl && !answered) {
      if (!settling) return fail(unreachable(machine, command, false));
      retry = setTimeout(send, 50);
      return;
    }
    if (strikes === 0) silentMs = Math.round(performance.now() - (waitingSince ?? performance.now()));
    if (settling) return; // the callee may not be back yet: the next heartbeat asks again
    strikes += 1;
    if (strikes >= noResponderStrikes) return fail(unreachable(machine, command, answered, silentMs));
    clearTimeout(retry);
    retry = setTimeout(alive, strikeMs);
  };

  const onFrame = (frame: Frame) => {
    strikes = 0;
    waitingSince = undefined;
    on.alive();
    if (frame.t === "unknown") {
      if (answered) fail(interrupted(machine, command));
      else send();
      return;
    }
    answered = true;
    if (frame.t === "running" && frame.sent > received) return fail(gap(machine, command));
    if (frame.t === "item") {
      if (frame.n <= received) return;
      if (frame.n > received + 1) return fail(gap(machine, command));
      received = frame.n;
    }
    if (frame.t === "end" && frame.n > received) return fail(gap(machine, command));
    if (isFinal(frame)) finish();
    if (frame.t !== "running" && frame.t !== "accepted") on.frame(frame);
  };

  const onMessage = (error: Error | null, message: Msg) => {
    if (!open || error) return;
    if (message.headers?.code === 503) return onNoResponders(message.subject.endsWith(".c"));
    onFrame(decode<Frame>(message.data));
  };

  const subscription = nc.subscribe(`${inbox}.*`, { callback: onMessage });
  const pulse = setInterval(alive, request.aliveMs);
  const off = session.onEvent((event) => {
    if (event === "connected") alive();
  });
  send();

  return {
    taken(count) {
      taken = count;
      if (open) alive();
    },
    close() {
      if (!open) return;
      say({ t: "cancel" });
      finish();
    },
  };
}

function publish(nc: NatsConnection, subject: string, data: Uint8Array, reply: string): void {
  if (!nc.isClosed()) nc.publish(subject, data, { reply });
}

async function connection(
  session: Session,
  command: string,
  machine: string,
  timeoutMs: number | undefined,
): Promise<Link> {
  let timer: NodeJS.Timeout | undefined;
  const ms = Math.min(timeoutMs ?? Number.POSITIVE_INFINITY, session.patienceMs());
  const late = new Promise<never>((_, reject) => {
    const call = { what: `calling ${command} on ${machine}`, waitedMs: ms };
    timer = setTimeout(() => reject(unavailable(session, call, undefined)), ms);
  });
  try {
    return await Promise.race([session.link(), late]);
  } finally {
    clearTimeout(timer);
  }
}

const unreachable = (machine: string, command: string, started: boolean, silentMs = 0) =>
  new PloyzError({
    code: "machine_unreachable",
    message: started
      ? `machine ${machine} disappeared while it ran ${command}`
      : `machine ${machine} does not answer (${command})`,
    hint: `check that ployzd runs on ${machine} and that it is connected to the mesh (\`ployzctl machine ls\`)`,
    details: { machine, command, started, silentMs },
  });

const interrupted = (machine: string, command: string) =>
  new PloyzError({
    code: "call_interrupted",
    message: `the daemon on ${machine} restarted while it ran ${command}`,
    hint: "run the command again: it skips finished steps",
    details: { machine, command },
  });

const gap = (machine: string, command: string) =>
  new PloyzError({
    code: "stream_interrupted",
    message: `part of the output of ${command} on machine ${machine} was lost with the connection`,
    hint: "run the command again",
    details: { machine, command },
  });

const tooLarge = (command: string, bytes: number, limit: number) =>
  new PloyzError({
    code: "payload_too_large",
    message: `the request ${command} has ${bytes} bytes; one message may have ${limit}`,
    hint: "send less at a time",
  });
