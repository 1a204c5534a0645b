import {
  detailOf,
  fold,
  nextRecord,
  type OperationRecord,
  presentSummary,
  readJournal,
  recordedResult,
  stepStateOf,
  summaryOf,
} from "@ployz/primitives/host";
import type { OperationEvent, Store } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** @throws PloyzError `operation_unknown`. */
export async function recordOf(
  store: Store,
  operation: string,
): Promise<NonNullable<ReturnType<typeof fold>>> {
  const found = fold(await readJournal(store.journals, operation));
  if (found !== undefined) return found;
  throw new PloyzError({
    code: "operation_unknown",
    message: `operation ${operation} does not exist`,
    hint: "list operations: ployzctl ops ls",
  });
}

export const hasEnded = (operation: string, state: string) =>
  new PloyzError({
    code: "operation_ended",
    message: `operation ${operation} has ended (${state}): there is nothing to abort`,
    hint: `ployzctl ops show ${operation}`,
    operationId: operation,
  });

/** How often the lease of a followed operation is looked at: a runner without power writes no last entry. */
const LEASE_MS = 5_000;
/**
 * How long an operation that has lost its runner is followed on: the same command on another machine may take it over, and its own
 * machine ends one that keeps a service stopped.
 */
const TAKEOVER_MS = 15_000;

/** Whether some machine runs the operation: it is recorded as running, and its scope is leased. */
async function hasRunner(store: Store, record: OperationRecord): Promise<boolean> {
  const held = new Set((await store.leases.list()).map((lease) => lease.scope));
  return presentSummary(summaryOf(record), held).state === "running";
}

/** Whether some machine runs the operation, or it lost its runner just now. */
export async function mayGoOn(store: Store, record: OperationRecord): Promise<boolean> {
  if (await hasRunner(store, record)) return true;
  if (!isOpen(record)) return false;
  const last = (await readJournal(store.journals, record.operation)).at(-1);
  return Date.now() - (last?.t ?? 0) < TAKEOVER_MS;
}

const isOpen = ({ state }: OperationRecord): boolean => state === "running" || state === "interrupted";

const plannedIn = (record: OperationRecord | undefined) =>
  new Map(record === undefined ? [] : detailOf(record).steps.map((step) => [step.id, step]));

/** Follows the journal of an operation on another machine up to its end, or until it has been without a runner for `takeoverMs`. */
export async function* followElsewhere(
  store: Store,
  operation: string,
  signal: AbortSignal,
  { leaseMs = LEASE_MS, takeoverMs = TAKEOVER_MS } = {},
): AsyncIterable<OperationEvent> {
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const shown = new Map<string, string>();
  let alone: number | undefined;
  const look = async () => {
    const runs = await hasRunner(store, await recordOf(store, operation));
    alone = runs ? undefined : (alone ?? performance.now());
    if (alone !== undefined && performance.now() - alone >= takeoverMs) stop.abort();
  };
  const leased = setInterval(() => {
    look().catch(() => {}); // the store is away: looked at again
  }, leaseMs);
  try {
    await look();
    if (alone !== undefined)
      yield { type: "waiting", what: `another machine to take over operation ${operation}` };
    const entries = await readJournal(store.journals, operation);
    let record = fold(entries);
    let planned = plannedIn(record);
    const news = function* (id: string): Generator<OperationEvent> {
      const step = planned.get(id);
      if (step === undefined) return;
      const { id: _, state, ...rest } = stepStateOf(step, record?.steps.get(id));
      if (state === "pending" || shown.get(id) === state) return;
      shown.set(id, state);
      yield { type: "step", step: id, state, ...rest };
    };
    for (const id of record?.steps.keys() ?? []) yield* news(id);
    if (record === undefined || isOpen(record))
      for await (const entry of store.journals.follow(operation, entries.length, both)) {
        record = nextRecord(record, entry);
        if (entry.type === "planned") planned = plannedIn(record);
        if ("step" in entry) yield* news(entry.step);
        if (!isOpen(record)) break;
      }
    if (signal.aborted) return;
    yield { type: "result", result: await recordedResult(await recordOf(store, operation), store) };
  } finally {
    clearInterval(leased);
    stop.abort();
  }
}
