import { isDeepStrictEqual } from "node:util";
import { encode, type Json } from "../json.ts";
import { bucketKey, bucketSubject, bucketSubjects, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { followStream } from "./follow.ts";
import { casWrite, isMarker, jsonOf, lastOfEach, lastOn, type Stored, subjectsOf } from "./subject.ts";
import type { Entry, FollowEvent, WriteResult } from "./types.ts";

export type Facts = ReturnType<typeof openFacts>;

/** The revision that the writer expected; 0 also means "after a deletion marker". */
const asked = "Ployz-Expected";

/**
 * Facts under compare-and-set: a JetStream KV bucket with one value per key. Only store machines can use the bucket `secrets`. `intake`
 * resolves with the subject to which a value is published, where that is not its own.
 */
export function openFacts(
  session: Session,
  bucket: "facts" | "secrets" = "facts",
  intake?: (subject: string) => Promise<string>,
) {
  const stream = streams[bucket];
  const toEntry = (stored: Stored): Entry<Json> => ({
    key: bucketKey(bucket, stored.subject),
    value: jsonOf(stored),
    revision: stored.revision,
  });
  const present = (stored: Stored | undefined) => (stored && !isMarker(stored) ? toEntry(stored) : undefined);

  /** `expected` 0 means absent, which in the bucket is "no message" or "a deletion marker". */
  const write = async (
    key: string,
    message: { readonly data: Uint8Array; readonly headers: Readonly<Record<string, string>> },
    options: { readonly expected: number; isMine(stored: Stored): boolean },
  ) => {
    const subject = bucketSubject(bucket, key);
    const through = intake && { through: await intake(subject) };
    const send = (expected: number) =>
      casWrite(session, {
        ...{ stream, subject, ...through, ...message, expected },
        ...{ isMine: options.isMine, settleBy: "last" },
      });
    let result = await send(options.expected);
    if (options.expected === 0 && !result.written && result.last && isMarker(result.last)) {
      result = await send(result.last.revision);
    }
    return result;
  };

  return {
    /** The present value with its revision. */
    async get(key: string): Promise<Entry<Json> | undefined> {
      return present(await lastOn(session, stream, bucketSubject(bucket, key)));
    },

    /** Every fact whose key is `prefix` or below it, sorted by key; all facts when it is empty. */
    async list(prefix: string): Promise<readonly Entry<Json>[]> {
      const filters = filtersFor(bucket, prefix);
      const subjects = await Promise.all(filters.map((filter) => subjectsOf(session, stream, filter)));
      const found = await lastOfEach(session, stream, [...new Set(subjects.flat())].sort());
      return found.filter((stored) => !isMarker(stored)).map(toEntry);
    },

    /** Writes if the present revision is `expected`; 0: it must not exist. */
    async put(key: string, value: Json, expected: number): Promise<WriteResult> {
      const headers = { [asked]: String(expected) };
      const result = await write(
        key,
        { data: encode(value), headers },
        {
          expected,
          isMine: (stored) =>
            !isMarker(stored) &&
            stored.header(asked) === String(expected) &&
            isDeepStrictEqual(jsonOf(stored), JSON.parse(JSON.stringify(value))),
        },
      );
      if (result.written) return { ok: true, revision: result.revision };
      return { ok: false, current: present(result.last) };
    },

    /** Removes if the present revision is `expected`. Already gone is `ok`. */
    async remove(key: string, expected: number): Promise<WriteResult> {
      const subject = bucketSubject(bucket, key);
      const before = expected === 0 ? await lastOn(session, stream, subject) : undefined;
      if (expected === 0) {
        const current = present(before);
        return current ? { ok: false, current } : { ok: true, revision: before?.revision ?? 0 };
      }
      const headers = { "KV-Operation": "DEL", [asked]: String(expected) };
      const result = await write(key, { data: new Uint8Array(), headers }, { expected, isMine: isMarker });
      if (result.written) return { ok: true, revision: result.revision };
      const current = present(result.last);
      return current ? { ok: false, current } : { ok: true, revision: result.last?.revision ?? 0 };
    },

    /** Present facts, one `synced`, then changes. Ends when `signal` aborts; survives reconnects. */
    async *follow(prefix: string, signal: AbortSignal): AsyncGenerator<FollowEvent<Json>, void> {
      const filters = filtersFor(bucket, prefix);
      let synced = false;
      // Before `synced`, a marker matters only if its key was already yielded: the key was removed during the initial read.
      const told = new Set<string>();
      for await (const event of followStream(session, {
        stream,
        filters,
        from: "last-per-subject",
        signal,
      })) {
        if (event.type === "synced") {
          synced = true;
          told.clear();
          yield event;
        } else if (!isMarker(event.stored)) {
          if (!synced) told.add(event.stored.subject);
          yield { type: "put", entry: toEntry(event.stored) };
        } else if (synced || told.delete(event.stored.subject)) {
          yield {
            type: "delete",
            key: bucketKey(bucket, event.stored.subject),
            revision: event.stored.revision,
          };
        }
      }
    },
  };
}

/** The key itself and everything below it; all keys when the prefix is empty. */
function filtersFor(bucket: "facts" | "secrets", prefix: string): readonly string[] {
  if (prefix === "") return [bucketSubjects(bucket)];
  const subject = bucketSubject(bucket, prefix);
  return [subject, `${subject}.>`];
}
