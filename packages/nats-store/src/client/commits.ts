import { encode, isObject, type Json } from "../json.ts";
import { asToken, commitSubject, commitSubjects, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { allOn, followStream } from "./follow.ts";
import {
  atRevision,
  casWrite,
  jsonOf,
  lastOfEach,
  lastOn,
  previousRevision,
  type Stored,
  subjectsOf,
} from "./subject.ts";
import type { AppendResult, CommitEnvelope, Entry, FollowEvent } from "./types.ts";

export type Commits = ReturnType<typeof openCommits>;

/** The commit log: one subject per namespace, its last message is the namespace's state. Commits are never removed. */
export function openCommits(session: Session) {
  const stream = streams.commits;
  const subjectOf = (namespace: string) => commitSubject(session.cluster, namespace);

  const at = async (namespace: string, revision: number): Promise<Entry<Json> | undefined> => {
    const subject = subjectOf(namespace);
    if (!Number.isSafeInteger(revision) || revision < 1) return undefined;
    const stored = await atRevision(session, stream, revision);
    return stored?.subject === subject ? toEntry(stored) : undefined;
  };

  return {
    /** The commit of a namespace at a revision. */
    at,

    /** The namespace's last commit. */
    async last(namespace: string): Promise<Entry<Json> | undefined> {
      const stored = await lastOn(session, stream, subjectOf(namespace));
      return stored && toEntry(stored);
    },

    /**
     * Walks back from the last commit: each message carries the revision of its predecessor. A message without one was not written by
     * this client; then the subject is read from its beginning.
     */
    async history(namespace: string, limit: number): Promise<readonly Entry<Json>[]> {
      const subject = subjectOf(namespace);
      const entries: Entry<Json>[] = [];
      let stored = await lastOn(session, stream, subject);
      while (stored && entries.length < limit) {
        entries.push(toEntry(stored));
        const previous = previousRevision(stored);
        if (previous === undefined)
          return (await allOn(session, stream, subject)).map(toEntry).reverse().slice(0, limit);
        stored =
          previous > 0 && entries.length < limit ? await atRevision(session, stream, previous) : undefined;
      }
      return entries;
    },

    /** The last commit of every namespace, sorted by subject. */
    async heads(): Promise<readonly Entry<Json>[]> {
      const subjects = await subjectsOf(session, stream, commitSubjects(session.cluster));
      return (await lastOfEach(session, stream, subjects)).map(toEntry);
    },

    /** Appends if the namespace's last revision is `expected`; 0: it has none. A retry of one commit is one commit. */
    async append(commit: CommitEnvelope, expected: number): Promise<AppendResult> {
      const subject = subjectOf(commit.namespace);
      const operation = asToken("operation", commit.operation);
      const isMine = (stored: Stored) => {
        const there = jsonOf(stored);
        return isObject(there) && there.operation === operation;
      };
      // One operation makes one commit: a restarted runner may expect its own commit as the last.
      const last = await lastOn(session, stream, subject);
      if (last && isMine(last)) return { committed: true, revision: last.revision };
      const result = await casWrite(session, {
        stream,
        subject,
        data: encode(commit),
        expected,
        // One operation may commit to several namespaces, and its retry carries the revision it now expects.
        messageId: `${commit.operation}/${commit.namespace}/${expected}`,
        isMine,
        settleBy: "next",
      });
      if (result.written) return { committed: true, revision: result.revision };
      return { committed: false, last: result.last && toEntry(result.last) };
    },

    /** The last commits, one `synced`, then every later commit. Ends when `signal` aborts; survives reconnects. */
    async *follow(signal: AbortSignal): AsyncGenerator<FollowEvent<Json>, void> {
      const filters = [commitSubjects(session.cluster)];
      for await (const event of followStream(session, {
        stream,
        filters,
        from: "last-per-subject",
        signal,
      })) {
        if (event.type === "synced") yield event;
        else yield { type: "put", entry: toEntry(event.stored) };
      }
    },
  };
}

function toEntry(stored: Stored): Entry<Json> {
  const key = stored.subject.slice(stored.subject.lastIndexOf(".") + 1);
  return { key, value: jsonOf(stored), revision: stored.revision };
}
