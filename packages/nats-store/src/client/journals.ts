import { isDeepStrictEqual } from "node:util";
import { withinDeadline } from "../deadline.ts";
import { isForbidden, writesRefused } from "../errors.ts";
import { encode, type Json } from "../json.ts";
import { bucketKey, bucketSubject, bucketSubjects, journalSubject, shownSubject, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { allOn, followStream } from "./follow.ts";
import { casWrite, jsonOf, lastOfEach, lastOn, type Stored, subjectsOf } from "./subject.ts";
import type { Entry } from "./types.ts";

export type Journals = ReturnType<typeof openJournals>;

const indexHeader = "Ployz-Index";
const indexOf = (stored: Stored) => Number(stored.header(indexHeader));

/** Operation journals: one subject per operation, one message per entry, each appended directly after its predecessor. */
export function openJournals(session: Session) {
  const stream = streams.journal;
  const subjectOf = (operation: string) => journalSubject(session.cluster, operation);
  /** The end of each journal at this process's last write: saves a read per entry, and the CAS verifies it. */
  const ends = new Map<string, { readonly index: number; readonly revision: number }>();

  /** Summaries of this generation that never change again. */
  let ended = { generation: session.generation(), subjects: new Set<string>() };

  const readAll = async (operation: string): Promise<readonly Json[]> => {
    const last = await lastOn(session, stream, subjectOf(operation));
    return last ? (await allOn(session, stream, subjectOf(operation), last.revision)).map(jsonOf) : [];
  };

  return {
    /** Every entry in order; none when there is no such operation. */
    read: readAll,

    /** Appends as entry `index` (0-based). `false`: another coordinator has written that entry. */
    async append(operation: string, index: number, entry: Json): Promise<boolean> {
      const subject = subjectOf(operation);
      let end = ends.get(operation);
      if (end?.index !== index - 1) {
        const last = await lastOn(session, stream, subject);
        end = last ? { index: indexOf(last), revision: last.revision } : { index: -1, revision: 0 };
      }
      if (end.index < index - 1) return false;
      const same = (value: Json | undefined) => isDeepStrictEqual(value, JSON.parse(JSON.stringify(entry)));
      if (end.index >= index) return same((await readAll(operation))[index]);
      const result = await casWrite(session, {
        stream,
        subject,
        data: encode(entry),
        headers: { [indexHeader]: String(index) },
        expected: end.revision,
        isMine: (stored) => indexOf(stored) === index && same(jsonOf(stored)),
        settleBy: "next",
      });
      if (!result.written) {
        ends.delete(operation);
        return false;
      }
      ends.set(operation, { index, revision: result.revision });
      if (ends.size > 256) ends.delete(ends.keys().next().value as string);
      return true;
    },

    /** Entries from `from` on, then new ones. Ends when `signal` aborts. */
    async *follow(operation: string, from: number, signal: AbortSignal): AsyncGenerator<Json, void> {
      const filters = [subjectOf(operation)];
      for await (const event of followStream(session, { stream, filters, from: "all", signal })) {
        if (event.type === "message" && indexOf(event.stored) >= from) yield jsonOf(event.stored);
      }
    },

    /** Every summary that is written from now on, of any machine's operations. Ends when `signal` aborts. Survives reconnects. */
    async *changes(signal: AbortSignal): AsyncGenerator<Entry<Json>, void> {
      const filters = [bucketSubjects("operations")];
      for await (const event of followStream(session, {
        stream: streams.operations,
        filters,
        from: "new",
        signal,
      }))
        if (event.type === "message") yield toSummary(event.stored);
    },

    /** Newest first: operation ids are ULIDs, so their order is chronological. */
    async summaries(limit: number, isEnded?: (summary: Json) => boolean): Promise<readonly Entry<Json>[]> {
      // A store that was restored from a backup may know an operation as unfinished that had ended.
      if (ended.generation !== session.generation())
        ended = { generation: session.generation(), subjects: new Set() };
      const subjects = await subjectsOf(session, streams.operations, bucketSubjects("operations"));
      const left = subjects.filter((subject) => !(isEnded && ended.subjects.has(subject))).reverse();
      const found: Entry<Json>[] = [];
      for (let at = 0; at < left.length && found.length < limit; at += limit) {
        for (const stored of await lastOfEach(session, streams.operations, left.slice(at, at + limit))) {
          const summary = toSummary(stored);
          if (isEnded?.(summary.value) === true) ended.subjects.add(stored.subject);
          else found.push(summary);
        }
      }
      return found.slice(0, limit);
    },

    /** The summary of one operation. */
    async summary(operation: string): Promise<Entry<Json> | undefined> {
      const stored = await lastOn(session, streams.operations, bucketSubject("operations", operation));
      return stored && toSummary(stored);
    },

    /** Replaces the summary of one operation. */
    async putSummary(operation: string, summary: Json): Promise<void> {
      const subject = bucketSubject("operations", operation);
      await withinDeadline(session, `writing ${shownSubject(subject)}`, ({ js }) =>
        js.publish(subject, encode(summary)).catch((error: unknown) => {
          throw isForbidden(error) ? writesRefused(error) : error;
        }),
      );
    },
  };
}

const toSummary = (stored: Stored): Entry<Json> => ({
  key: bucketKey("operations", stored.subject),
  value: jsonOf(stored),
  revision: stored.revision,
});
