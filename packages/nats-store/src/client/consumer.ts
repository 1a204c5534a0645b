import { AckPolicy, type ConsumerConfig, DeliverPolicy } from "@nats-io/jetstream";
import { createInbox, type Msg, nanos } from "nats";
import { inboxPrefix } from "../names.ts";
import type { Link, Session } from "../session.ts";
import { queue } from "./queue.ts";
import { type Stored, toStored } from "./subject.ts";

export interface Delivered {
  readonly stored: Stored;
  /** The number of matching messages that follow this one. */
  readonly pending: number;
}

export interface ConsumerStart {
  readonly from: "last-per-subject" | "all" | number;
  readonly filters: readonly string[];
}

const heartbeatMs = 2000;

/**
 * One ephemeral push consumer. When a message may have been missed (a gap, a lost connection, missed heartbeats) it throws `Interrupted`,
 * and the caller starts another at its end. The first value is the number of pending messages.
 */
export async function* consumeOnce(
  session: Session,
  link: Link,
  stream: string,
  options: ConsumerStart & { readonly signal: AbortSignal },
): AsyncGenerator<number | Delivered, void> {
  const inbox = createInbox(inboxPrefix(session.machine));
  const incoming = queue<Msg>();
  const subscription = link.nc.subscribe(inbox, {
    callback: (error, message) => (error ? incoming.end(error) : incoming.push(message)),
  });
  const offEvent = session.onEvent(() => incoming.end(new Interrupted("the connection changed")));
  const onAbort = () => incoming.end();
  options.signal.addEventListener("abort", onAbort, { once: true });
  let watchdog = setTimeout(() => undefined, 0);
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => incoming.end(new Interrupted("missed heartbeats")), heartbeatMs * 3);
  };
  try {
    const info = await link.jsm.consumers.add(stream, consumerConfig(inbox, options));
    alive();
    yield info.num_pending;
    let delivered = 0;
    for (;;) {
      const message = await incoming.next();
      if (!message) return;
      alive();
      if (message.headers?.code === 100) {
        answerStatus(link, message);
        const last = message.headers.get("Nats-Last-Consumer");
        if (last !== "" && Number(last) > delivered) throw new Interrupted("messages were missed");
        continue;
      }
      const place = parseReply(message.reply);
      if (!place) continue;
      delivered += 1;
      if (place.consumerSequence !== delivered) throw new Interrupted("messages were missed");
      yield {
        stored: toStored({
          subject: message.subject,
          seq: place.streamSequence,
          data: message.data,
          header: message.headers as never,
        }),
        pending: place.pending,
      };
    }
  } finally {
    clearTimeout(watchdog);
    offEvent();
    options.signal.removeEventListener("abort", onAbort);
    // Without a subscriber the server drops the consumer after the inactive threshold.
    subscription.unsubscribe();
  }
}

/** A message may have been missed: start another consumer where this one ended. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

function consumerConfig(inbox: string, start: ConsumerStart): Partial<ConsumerConfig> {
  return {
    deliver_subject: inbox,
    ack_policy: AckPolicy.None,
    flow_control: true,
    idle_heartbeat: nanos(heartbeatMs),
    inactive_threshold: nanos(10_000),
    mem_storage: true,
    num_replicas: 1,
    ...(typeof start.from === "number"
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.from }
      : {
          deliver_policy: start.from === "all" ? DeliverPolicy.All : DeliverPolicy.LastPerSubject,
        }),
    ...(start.filters.length === 1
      ? { filter_subject: start.filters[0] as string }
      : { filter_subjects: [...start.filters] }),
  };
}

/** Flow control requires a reply before the server sends more, which bounds the queue. */
function answerStatus(link: Link, message: Msg): void {
  if (message.reply) link.nc.publish(message.reply);
  const stalled = message.headers?.get("Nats-Consumer-Stalled");
  if (stalled) link.nc.publish(stalled);
}

/** The acknowledgement subject carries the message's place; both layouts of ADR-15. */
export function parseReply(
  reply: string | undefined,
):
  | { readonly streamSequence: number; readonly consumerSequence: number; readonly pending: number }
  | undefined {
  if (!reply?.startsWith("$JS.ACK.")) return undefined;
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 5 : 7;
  const [streamSequence, consumerSequence, , pending] = tokens.slice(at, at + 4).map(Number);
  if (streamSequence === undefined || consumerSequence === undefined || pending === undefined)
    return undefined;
  return { streamSequence, consumerSequence, pending };
}
