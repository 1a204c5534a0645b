import { PloyzError } from "../error-codes.ts";
import type { JournalEntry } from "../model/journal.ts";
import type { Json } from "../model/json.ts";
import type { OperationSummary } from "../model/operation.ts";
import type { JournalStore, Store } from "../ports/store.ts";
import { unlessUnreadable } from "../records/store.ts";
import { sameJson } from "./canonical.ts";
import { findCommit } from "./commit.ts";
import type { RegisteredPrimitive } from "./deps.ts";
import { type Ending, finish, takeBack } from "./execute.ts";
import { fold, isFinal, type OperationRecord, summaryOf } from "./fold.ts";
import { endLostTurn } from "./guard.ts";
import { readJournal } from "./journal.ts";
import type { Session } from "./session.ts";

/** An unfinished operation and its journal. */
export interface Unfinished {
  readonly entries: readonly JournalEntry[];
  readonly record: OperationRecord;
}

/**
 * Unfinished operations, oldest first: all, or those on any of the scopes. Corrects summaries that lag behind their journal. One whose
 * journal cannot be read is skipped: no process can resume it, and observation finds the instances and volumes that it left.
 */
export async function unfinishedOn(
  journals: JournalStore,
  scopes?: readonly string[],
): Promise<readonly Unfinished[]> {
  const found: Unfinished[] = [];
  const isEnded = ({ state }: OperationSummary) => isFinal(state);
  for (const { value: summary } of await journals.summaries(Number.POSITIVE_INFINITY, isEnded)) {
    if (scopes !== undefined && !summary.scope.some((scope) => scopes.includes(scope))) continue;
    const entries = await unlessUnreadable(readJournal(journals, summary.operation));
    const record = fold(entries ?? []);
    if (entries === undefined || record === undefined) continue;
    if (isFinal(record.state)) await journals.putSummary(record.operation, summaryOf(record));
    else found.push({ entries, record });
  }
  return found.reverse();
}

/** Whether a run of the primitive with this input may resume the operation, by its journal. */
export function isResumable(record: OperationRecord, registered: RegisteredPrimitive, input: Json): boolean {
  const { primitive } = registered;
  const going = record.state === "running" || record.state === "interrupted";
  const failed =
    record.unwinding !== undefined || [...record.steps.values()].some((s) => s.state === "failed");
  const same = record.primitive === primitive.name && record.version === primitive.version;
  return going && same && !failed && record.revision === undefined && sameJson(record.input, input);
}

/** The revision of its commit: from its journal, else from the store. */
export async function committedAt(record: OperationRecord, store: Store): Promise<number | undefined> {
  if (record.revision !== undefined) return record.revision;
  if (record.point === undefined) return undefined;
  return findCommit(store, record.operation, record.point);
}

/** Ends an unfinished operation whose leases this session holds: finishes it when it was committed, else undoes it. */
export async function resolve(
  session: Session,
  record: OperationRecord,
  options: {
    readonly revision?: number;
    readonly why: Parameters<typeof takeBack>[1];
    readonly capMs?: number;
  },
): Promise<Ending> {
  const { journal, deps } = session;
  await journal.append({ type: "resumed", coordinator: deps.self.machine, why: options.why.code });
  const { revision, capMs } = options;
  if (revision === undefined) {
    return takeBack(session, record.unwinding?.error ?? firstFailure(record) ?? options.why, capMs);
  }
  await endLostTurn(session);
  if (record.revision === undefined) await journal.append({ type: "committed", revision });
  return finish(session, revision, capMs);
}

function firstFailure(record: OperationRecord) {
  return [...record.steps.values()].find(({ state }) => state === "failed")?.error;
}

export function unknownVersion(record: OperationRecord): PloyzError {
  const { operation, primitive, version } = record;
  return new PloyzError({
    code: "operation_version",
    message: `operation ${operation} (${primitive}, journal version ${version}) is unfinished, and this version of Ployz does not know how to resolve it`,
    hint: `run it from a machine with the version of Ployz that began it; see ployzctl ops show ${operation}`,
    operationId: operation,
  });
}
