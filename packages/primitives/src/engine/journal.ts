import type { EntryBody, JournalEntry } from "../model/journal.ts";
import type { JournalStore } from "../ports/store.ts";
import type { Clock } from "./clock.ts";
import { fold, next, type OperationRecord, summaryOf } from "./fold.ts";
import { Interrupted, isUnavailable, takenOver } from "./interrupted.ts";
import { rideStore } from "./retry.ts";

/** The only writer of one operation's journal in one run. Appends are serialised, so parallel steps still give one order. */
export interface Journal {
  readonly operation: string;
  record(): OperationRecord | undefined;
  /** Durable when it resolves. Fails with `Interrupted` when another runner has written here; from then on every append does. */
  append(body: EntryBody): Promise<OperationRecord>;
  /** Writes the summary document: the fold of the entries. */
  publish(): Promise<void>;
}

export interface JournalOptions {
  readonly store: JournalStore;
  readonly operation: string;
  /** The entries read so far. */
  readonly entries: readonly JournalEntry[];
  /** Unique to this run. */
  readonly run: string;
  readonly clock: Clock;
  readonly rideMs: number;
  /** Aborts when the lease is lost: nothing is written after that. */
  readonly lost: AbortSignal;
}

/** All entries of an operation's journal, in order. */
export async function readJournal(store: JournalStore, operation: string): Promise<readonly JournalEntry[]> {
  return store.read(operation);
}

export function openJournal(options: JournalOptions): Journal {
  const { store, operation, clock, run, lost } = options;
  let record = fold(options.entries);
  let length = options.entries.length;
  let stopped: Error | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  const write = async (body: EntryBody): Promise<OperationRecord> => {
    if (stopped) throw stopped;
    const entry: JournalEntry = { ...body, t: clock.now(), run };
    try {
      const mine = await rideStore(options, () => store.append(operation, length, entry));
      if (!mine) throw takenOver(operation);
    } catch (error) {
      // The store may or may not have the entry, so this run must not write another.
      stopped = error instanceof Interrupted ? error : stop(operation, error);
      throw stopped;
    }
    length += 1;
    record = next(record, entry);
    return record;
  };

  return {
    operation,
    record: () => record,
    append(body) {
      const done = tail.then(() => write(body));
      tail = done.catch(() => {});
      return done;
    },
    async publish() {
      if (stopped || lost.aborted || record === undefined) return;
      const summary = summaryOf(record);
      await rideStore(options, () => store.putSummary(operation, summary));
    },
  };
}

function stop(operation: string, cause: unknown): Interrupted {
  const message = `the journal of operation ${operation} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
  const hint = "when the store is back, run the same command again: it resumes the operation or undoes it";
  const code = isUnavailable(cause) ? "store_unavailable" : "journal_failed";
  return new Interrupted({ code, message, hint, operationId: operation }, { cause });
}
