import { JetStreamApiCodes, JetStreamApiError, type StoredMsg } from "@nats-io/jetstream";
import { headers as newHeaders } from "nats";
import { withinDeadline } from "../deadline.ts";
import { isConflict, isForbidden, isTransient, writesRefused } from "../errors.ts";
import { decode, type Json } from "../json.ts";
import { shownSubject } from "../names.ts";
import type { Link, Session } from "../session.ts";

/** One message of a stream. `revision` is its stream sequence. */
export interface Stored {
  readonly subject: string;
  readonly revision: number;
  readonly data: Uint8Array;
  header(name: string): string | undefined;
  /** All headers in stored order, as one text. */
  allHeaders(): string;
}

const expectedHeader = "Nats-Expected-Last-Subject-Sequence";

export function toStored(message: Pick<StoredMsg, "subject" | "seq" | "data" | "header">): Stored {
  return {
    subject: message.subject,
    revision: message.seq,
    data: message.data,
    header: (name) => message.header?.get(name) || undefined,
    allHeaders: () => JSON.stringify([...(message.header ?? [])]),
  };
}

/** A deletion or expiry marker: the key is gone as of this revision. ADR-8 and ADR-43. */
export function isMarker(stored: Stored): boolean {
  const operation = stored.header("KV-Operation");
  return operation === "DEL" || operation === "PURGE" || stored.header("Nats-Marker-Reason") !== undefined;
}

/** The subject's last revision when this message was written; undefined when its writer did not expect one. */
export function previousRevision(stored: Stored): number | undefined {
  const expected = stored.header(expectedHeader);
  return expected === undefined ? undefined : Number(expected);
}

/** `STREAM.MSG.GET`: answered by the stream's leader, so it sees every acknowledged write. */
async function getMessage(
  link: Link,
  stream: string,
  query: Record<string, unknown>,
): Promise<Stored | undefined> {
  try {
    const found = await link.jsm.streams.getMessage(stream, query as { seq: number });
    return found ? toStored(found) : undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.NoMessageFound)
      return undefined;
    throw error;
  }
}

/** The last message on a subject, or on any that a wildcard covers. */
export const lastOf = (link: Link, stream: string, subject: string) =>
  getMessage(link, stream, { last_by_subj: subject });

export const lastOn = (session: Session, stream: string, subject: string) =>
  withinDeadline(session, `reading ${shownSubject(subject)}`, (link) => lastOf(link, stream, subject));

export const atRevision = (session: Session, stream: string, revision: number) =>
  withinDeadline(session, `reading ${stream} at ${revision}`, (link) =>
    getMessage(link, stream, { seq: revision }),
  );

/** The subjects under `filter` that hold a message, sorted. */
export async function subjectsOf(
  session: Session,
  stream: string,
  filter: string,
): Promise<readonly string[]> {
  const found = await withinDeadline(session, `listing ${shownSubject(filter)}`, (link) =>
    link.jsm.streams.info(stream, { subjects_filter: filter }),
  );
  return Object.keys(found.state.subjects ?? {}).sort();
}

/** The last message of each subject. The requests share the connection and overlap. */
export async function lastOfEach(
  session: Session,
  stream: string,
  subjects: readonly string[],
): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  for (let at = 0; at < subjects.length; at += 64) {
    const batch = subjects.slice(at, at + 64).map((subject) => lastOn(session, stream, subject));
    for (const stored of await Promise.all(batch)) if (stored) found.push(stored);
  }
  return found;
}

export interface CasWrite {
  readonly stream: string;
  readonly subject: string;
  /** Where to publish it, if the stream stores it under another subject. */
  readonly through?: string;
  readonly data: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Revision that must be the subject's last; 0: none. */
  readonly expected: number;
  readonly messageId?: string;
  /** Seconds until the server removes the message. */
  readonly ttlSeconds?: number;
  /** Whether the message stored at this write's position is this write. */
  isMine(stored: Stored): boolean;
  /** This write's position: the first message after `expected` (subjects with history), or the last one. */
  readonly settleBy: "next" | "last";
}

export type CasResult =
  | { readonly written: true; readonly revision: number }
  | { readonly written: false; readonly last: Stored | undefined };

/**
 * Compare-and-set on one subject. After a lost reply, or a conflict that an earlier attempt of the same write may have caused, reads back,
 * so that the result always matches the store.
 */
export function casWrite(session: Session, write: CasWrite): Promise<CasResult> {
  let uncertain = false;
  return withinDeadline(session, `writing ${shownSubject(write.subject)}`, async (link) => {
    if (uncertain) {
      const settled = await settle(link, write);
      if (settled) return settled;
    }
    try {
      const hdrs = newHeaders();
      for (const [name, value] of Object.entries(write.headers ?? {})) hdrs.set(name, value);
      const ack = await link.js.publish(write.through ?? write.subject, write.data, {
        headers: hdrs,
        expect: { lastSubjectSequence: write.expected },
        ...(write.messageId !== undefined && { msgID: write.messageId }),
        ...(write.ttlSeconds !== undefined && { ttl: `${write.ttlSeconds}s` }),
      });
      return { written: true, revision: ack.seq };
    } catch (error) {
      if (isTransient(error)) uncertain = true;
      if (isForbidden(error)) {
        // A member that may read this subject may also write it, unless the store is fenced.
        const settled = await settle(link, write);
        if (settled) return settled;
        throw writesRefused(error);
      }
      if (!isConflict(error)) throw error;
      uncertain = true;
      const settled = await settle(link, write);
      if (settled) return settled;
      // A conflict without a newer message: a leader refuses while an earlier attempt is being replicated to the other
      // servers. Its outcome is not known yet, so neither is the result.
      throw undecided(write.subject, error);
    }
  });
}

function undecided(subject: string, cause: unknown): Error {
  const error = new Error(`an earlier write to ${shownSubject(subject)} is not settled yet`, { cause });
  error.name = "TimeoutError"; // a transient failure
  return error;
}

/** `undefined`: the subject is still where the write expects it, so it can be sent (again). */
async function settle(link: Link, write: CasWrite): Promise<CasResult | undefined> {
  const last = await getMessage(link, write.stream, { last_by_subj: write.subject });
  if ((last?.revision ?? 0) === write.expected) return undefined;
  if (last && write.isMine(last)) return { written: true, revision: last.revision };
  if (write.settleBy === "next") {
    const next = await getMessage(link, write.stream, {
      seq: write.expected + 1,
      next_by_subj: write.subject,
    });
    if (next && write.isMine(next)) return { written: true, revision: next.revision };
  }
  return { written: false, last };
}

/** What a message holds. Of one that is no JSON, its text, which no schema takes for a record. */
export function jsonOf(stored: Stored): Json {
  try {
    return decode(stored.data);
  } catch {
    return new TextDecoder().decode(stored.data);
  }
}
