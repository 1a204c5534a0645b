import {
  detailOf,
  fold,
  type OperationRecord,
  presentSummary,
  readJournal,
  recordedResult,
  summaryOf,
} from "@ployz/primitives/host";
import type { OperationEvent, Store } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** @throws PloyzError `operation_unknown`. */
export async function recordOf(store: Store, operation: string) {
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

/** Whether some machine runs the operation: it is recorded as running, and its scope is leased. */
export async function hasRunner(store: Store, record: OperationRecord): Promise<boolean> {
  const held = new Set((await store.leases.list()).map((lease) => lease.scope));
  return presentSummary(summaryOf(record), held).state === "running";
}

/** Follows the journal of an operation on another machine up to its end, or to that of its runner. */
export async function* followElsewhere(
  store: Store,
  operation: string,
  signal: AbortSignal,
): AsyncIterable<OperationEvent> {
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const shown = new Map<string, string>();
  const leased = setInterval(() => {
    recordOf(store, operation)
      .then((record) => hasRunner(store, record))
      .then(
        (runs) => runs || stop.abort(),
        () => {}, // the store is away: looked at again
      );
  }, LEASE_MS);
  try {
    for await (const _ of store.journals.follow(operation, 0, both)) {
      const detail = detailOf(await recordOf(store, operation));
      for (const { id, title, machine, state, ms, error } of detail.steps) {
        if (state === "pending" || shown.get(id) === state) continue;
        shown.set(id, state);
        yield {
          type: "step",
          step: id,
          title,
          state,
          ...(machine !== undefined && { machine }),
          ...(ms !== undefined && { ms }),
          ...(error !== undefined && { error }),
        };
      }
      if (detail.summary.state !== "running") break;
    }
    if (signal.aborted) return;
    yield { type: "result", result: await recordedResult(await recordOf(store, operation), store) };
  } finally {
    clearInterval(leased);
    stop.abort();
  }
}
