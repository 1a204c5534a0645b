import { errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import type { Commit } from "../model/commit.ts";
import { type FactKey, type FactOf, isFactKey } from "../model/facts.ts";
import type { JournalEntry } from "../model/journal.ts";
import type { Json } from "../model/json.ts";
import type { OperationSummary } from "../model/operation.ts";
import type {
  CommitLog,
  Entry,
  Fact,
  FactEvent,
  FactStore,
  JournalStore,
  RawFacts,
  RawStore,
  Store,
} from "../ports/store.ts";
import { commitFault, type Fault, factFault, journalEntryFault, summaryFault } from "./check.ts";

/** A record that was skipped. */
export type Unreadable = Fault & {
  /** `commit.<namespace>`, `fact.<key>`, `operation.<id>`. */
  readonly key: string;
  readonly revision: number;
};

type Report = (skipped: Unreadable) => void;

/** How many commits are looked through for the last one that can be read. */
const LOOK_BACK = 100;

/** The typed store over an unchecked one. `report` is called for each record that a call skips. */
export function checkedStore(raw: RawStore, report: Report = () => {}): Store {
  return {
    commits: checkedCommits(raw.commits, report),
    facts: checkedFacts(raw.facts, report),
    leases: raw.leases,
    journals: checkedJournals(raw.journals, report),
  };
}

/** Entries of one kind of record: those that can be read, and those that cannot. */
function reader<T>(
  kind: string,
  faultOf: (key: string, value: unknown) => Fault | undefined,
  report: Report,
) {
  const fault = ({ key, value, revision }: Entry<unknown>): Unreadable | undefined => {
    const found = faultOf(key, value);
    return found && { ...found, key: `${kind}.${key}`, revision };
  };
  const isGood = (entry: Entry<unknown>): entry is Entry<T> => {
    const found = fault(entry);
    if (found !== undefined) report(found);
    return found === undefined;
  };
  return {
    isGood,
    /** @throws PloyzError `record_unreadable`. */
    expect(entry: Entry<unknown>): Entry<T> {
      const found = fault(entry);
      if (found !== undefined) throw unreadable(found);
      return entry as Entry<T>;
    },
    /** Refuses to write a record that this version could not read. */
    assert(key: string, value: unknown): void {
      const found = faultOf(key, value);
      if (found !== undefined) throw new Error(`${kind}.${key} is not valid: ${found.detail}`);
    },
  };
}

/** The error about a record that cannot be read, with the command that repairs it. */
export function unreadable(
  { key, revision, why, detail }: Unreadable,
  hint: string = repairOf({ key, why }),
): PloyzError {
  return new PloyzError({
    code: "record_unreadable",
    message: `${key} at revision ${revision} cannot be read: ${detail}`,
    hint,
    details: { key, revision, why, detail },
  });
}

/** The next step for the operator. */
export function repairOf({ key, why }: Pick<Unreadable, "key" | "why">): string {
  if (why === "newer")
    return "a newer version of Ployz wrote it; update this machine: ployzctl machine update";
  const name = key.slice(key.indexOf(".") + 1);
  if (key.startsWith("commit."))
    return `the last readable commit stays in effect; repair: ployzctl namespace repair ${name}`;
  if (key.startsWith("fact."))
    return `the last readable record stays in effect; repair: ployzctl store repair ${key}`;
  return `other operations continue; end it: ployzctl ops abort ${name}`;
}

/** The fault of a namespace's last commit, if it cannot be read. */
export async function headFault(
  { last }: Pick<CommitLog, "last">,
  namespace: string,
): Promise<Unreadable | undefined> {
  try {
    await last(namespace);
    return undefined;
  } catch (error) {
    const { code, details } = errorBody(error);
    if (code !== "record_unreadable") throw error;
    return details as Unreadable;
  }
}

/** `undefined` when the record that is read cannot be read. */
export async function unlessUnreadable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (errorBody(error).code === "record_unreadable") return undefined;
    throw error;
  }
}

function checkedCommits(raw: RawStore["commits"], report: Report): CommitLog {
  const { isGood, expect, assert } = reader<Commit>("commit", commitFault, report);
  return {
    async last(namespace) {
      const entry = await raw.last(namespace);
      return entry && expect(entry);
    },
    async at(namespace, revision) {
      const entry = await raw.at(namespace, revision);
      return entry && expect(entry);
    },
    history: async (namespace, limit) => (await raw.history(namespace, limit)).filter(isGood),
    async heads() {
      const heads = await Promise.all(
        (await raw.heads()).map(async (head) =>
          isGood(head) ? head : (await raw.history(head.key, LOOK_BACK)).find(isGood),
        ),
      );
      return heads.filter((head) => head !== undefined);
    },
    async append(commit, expected) {
      assert(commit.namespace, commit);
      return raw.append(commit, expected);
    },
    async *follow(signal) {
      for await (const event of raw.follow(signal)) {
        if (event.type !== "put") yield event;
        else if (isGood(event.entry)) yield { type: "put", entry: event.entry };
      }
    },
  };
}

function checkedFacts(raw: RawFacts, report: Report): FactStore {
  const { isGood, expect, assert } = reader<FactOf<FactKey>>("fact", factFault, report);
  const isFact = (entry: Entry<Json>): entry is Fact => isFactKey(entry.key) && isGood(entry);
  return {
    async get<K extends FactKey>(key: K) {
      const entry = await raw.get(key);
      return entry && (expect(entry) as Entry<FactOf<K>, K>);
    },
    list: async (name: string) => (await raw.list(name)).filter(isFact),
    async put<K extends FactKey>(key: K, value: FactOf<K>, expected: number) {
      assert(key, value);
      const written = await raw.put(key, value, expected);
      if (written.ok) return written;
      const { current } = written;
      return { ok: false, current: current && (expect(current) as Entry<FactOf<K>, K>) };
    },
    remove: raw.remove,
    async *follow(name, signal): AsyncGenerator<FactEvent> {
      for await (const event of raw.follow(name, signal)) {
        if (event.type !== "put") yield event;
        else if (isFact(event.entry)) yield { type: "put", entry: event.entry };
        else yield { type: "unreadable", key: event.entry.key, revision: event.entry.revision };
      }
    },
  };
}

function checkedJournals(raw: RawStore["journals"], report: Report): JournalStore {
  const entries = (_operation: string) =>
    reader<JournalEntry>("operation", (_key, value) => journalEntryFault(value), report);
  const summaries = reader<OperationSummary>("operation", (_key, value) => summaryFault(value), report);
  return {
    async read(operation) {
      const found = await raw.read(operation);
      const { expect } = entries(operation);
      return found.map((value, index) => {
        const entry = expect({ key: operation, value, revision: index }).value;
        if (index > 0 || entry.type === "opened") return entry;
        const detail = `its journal starts with ${entry.type}`;
        throw unreadable({ key: `operation.${operation}`, revision: 0, why: "invalid", detail });
      });
    },
    append: raw.append,
    async *follow(operation, from, signal) {
      let revision = from;
      for await (const value of raw.follow(operation, from, signal))
        yield entries(operation).expect({ key: operation, value, revision: revision++ }).value;
    },
    async *changes(signal) {
      for await (const entry of raw.changes(signal)) if (summaries.isGood(entry)) yield entry;
    },
    async summaries(limit, isEnded) {
      const ended = (value: Json) =>
        summaryFault(value) === undefined && isEnded?.(value as OperationSummary);
      return (await raw.summaries(limit, isEnded && ((value) => ended(value) === true))).filter(
        summaries.isGood,
      );
    },
    async summary(operation) {
      const entry = await raw.summary(operation);
      return entry && summaries.expect(entry);
    },
    putSummary: raw.putSummary,
  };
}
