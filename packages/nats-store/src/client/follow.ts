import { createBackoff } from "@ployz/exec";
import { withinDeadline } from "../deadline.ts";
import { PloyzError } from "../error-codes.ts";
import { isTransient, storeError } from "../errors.ts";
import { shownSubject } from "../names.ts";
import type { Link, Session } from "../session.ts";
import { consumeOnce, Interrupted } from "./consumer.ts";
import { labels } from "./init.ts";
import { lastOf, type Stored } from "./subject.ts";

export type StreamEvent =
  | { readonly type: "message"; readonly stored: Stored }
  /** Everything up to `revision` (of the whole stream) has been delivered. Once per follow. */
  | { readonly type: "synced"; readonly revision: number };

/** A stream that is shorter than what it delivered for longer than this has lost messages, as when its disk was set back. */
const BEHIND_MS = 10_000;

export interface FollowOptions {
  readonly stream: string;
  readonly filters: readonly string[];
  /** `new`: nothing of what stands there when it begins. */
  readonly from: "last-per-subject" | "all" | "new";
  readonly signal: AbortSignal;
}

/**
 * Yields the current messages, `synced`, then every later message, in order and without a gap, across reconnects, server restarts and into
 * the next generation of the store. Ends when the signal aborts.
 * @throws PloyzError `store_refounded` when the stream was replaced by another one: the reader must start again.
 */
export async function* followStream(
  session: Session,
  options: FollowOptions,
): AsyncGenerator<StreamEvent, void> {
  const { stream, filters, signal } = options;
  let last = 0;
  let head = 0;
  let synced = false;
  let origin: Origin | undefined;
  let behindSince: number | undefined;
  const backoff = createBackoff(20, 1000);
  while (!signal.aborted) {
    try {
      const link = await untilAborted(session.link(), signal);
      if (!link) return;
      const info = await link.jsm.streams.info(stream);
      const found: Origin = {
        created: info.created,
        generation: Number(info.config.metadata?.[labels.generation] ?? 0),
        lineage: info.config.metadata?.[labels.lineage] ?? "",
      };
      if (origin && !continues(origin, found)) throw refounded(stream);
      origin = found;
      // A leader that was just elected, or was frozen, has not applied yet what another replica has delivered.
      behindSince = info.state.last_seq < last ? (behindSince ?? performance.now()) : undefined;
      if (behindSince !== undefined) {
        if (performance.now() - behindSince >= BEHIND_MS) throw refounded(stream);
        await backoff.pause(signal);
        continue;
      }
      if (!synced && options.from === "new") {
        last = info.state.last_seq;
        synced = true;
        yield { type: "synced", revision: last };
      }
      // Before `synced` the initial read restarts, skipping messages already yielded; after it, the stream continues where it stopped.
      // Continue from the last received message, not from `head`: the initial read may come from a replica that lags.
      const from = synced || options.from === "new" ? last + 1 : options.from;
      if (!synced) head = info.state.last_seq;
      // As the leader has it. A consumer may be on a replica that lags, which knows of nothing more to deliver before it has delivered that.
      const newest = synced ? 0 : await newestOf(link, stream, filters);
      for await (const event of consumeOnce(session, link, stream, { from, filters, signal })) {
        backoff.reset();
        if (typeof event === "number") {
          if (!synced && event === 0) {
            if (last < newest) throw new Interrupted("the replica lags");
            synced = true;
            yield { type: "synced", revision: Math.max(last, head) };
          }
          continue;
        }
        if (event.stored.revision > last) {
          last = event.stored.revision;
          yield { type: "message", stored: event.stored };
        }
        if (!synced && event.pending === 0) {
          if (last < newest) throw new Interrupted("the replica lags");
          synced = true;
          yield { type: "synced", revision: Math.max(last, head) };
        }
      }
    } catch (error) {
      if (!(error instanceof Interrupted) && !isTransient(error))
        throw storeError(`following ${stream}`, error);
      await backoff.pause(signal);
    }
  }
}

/** The revision of the newest message on any of these subjects; 0 when there is none. */
async function newestOf(link: Link, stream: string, filters: readonly string[]): Promise<number> {
  const found = await Promise.all(filters.map((filter) => lastOf(link, stream, filter)));
  return Math.max(0, ...found.map((stored) => stored?.revision ?? 0));
}

/** Every message on a subject that is there now, in order. */
export async function allOn(
  session: Session,
  stream: string,
  subject: string,
  /** Of the last one to read. */
  last = Number.POSITIVE_INFINITY,
): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  const stop = AbortSignal.timeout(session.deadlineMs);
  for await (const event of followStream(session, {
    stream,
    filters: [subject],
    from: "all",
    signal: stop,
  })) {
    if (event.type === "message") found.push(event.stored);
    if (event.type === "synced" || event.stored.revision >= last) return found;
  }
  // Aborted by the deadline: report it like every other read.
  return withinDeadline(session, `reading ${shownSubject(subject)}`, () => {
    const late = new Error("it was not read in time");
    late.name = "TimeoutError";
    return Promise.reject(late);
  });
}

/** Identifies the followed stream. */
interface Origin {
  readonly created: string;
  readonly generation: number;
  readonly lineage: string;
}

/** The same stream, or a later generation with the same messages and sequences. */
const continues = (before: Origin, now: Origin) =>
  before.created === now.created || (now.generation > before.generation && now.lineage === before.lineage);

const refounded = (stream: string) =>
  new PloyzError({
    code: "store_refounded",
    message: `the store was rebuilt: its stream ${stream} is not the one that was followed`,
    hint: "read the current state again and follow from there",
  });

function untilAborted(link: Promise<Link>, signal: AbortSignal): Promise<Link | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    link.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
