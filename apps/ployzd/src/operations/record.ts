import { detailOf, fold, readJournal } from "@ployz/primitives/host";
import type { OperationDetail, OperationEvent, OperationResult, Store } from "@ployz/primitives/protocol";
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

/** Follows the journal of an operation on another machine. */
export async function* followElsewhere(
  store: Store,
  operation: string,
  signal: AbortSignal,
): AsyncIterable<OperationEvent> {
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const shown = new Map<string, string>();
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
      if (detail.summary.state !== "running") {
        yield { type: "result", result: resultOf(detail) };
        return;
      }
    }
  } finally {
    stop.abort();
  }
}

/** An operation's result, from its record. */
export function resultOf({ summary, owed }: OperationDetail): OperationResult {
  const { operation, primitive, state, revision, error, startedAt, endedAt } = summary;
  return {
    kind: "operation",
    operation,
    primitive,
    state,
    changed: revision !== undefined,
    ...(revision !== undefined && { revision }),
    output: null,
    ...(error !== undefined && { error }),
    owed,
    warnings: [],
    ms: endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(startedAt),
  };
}
