import { errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import type { OperationResult, OperationSummary } from "../model/operation.ts";
import type { LeaseHolder, Store } from "../ports/store.ts";
import { unlessUnreadable } from "../records/store.ts";
import type { Clock } from "./clock.ts";
import type { EngineDeps, PrimitiveRegistry } from "./deps.ts";
import { fold, isFinal, type OperationRecord } from "./fold.ts";
import { openJournal, readJournal } from "./journal.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { committedAt, resolve, unknownVersion } from "./predecessors.ts";
import { hold, notRunningHere, type Run, sessionFor } from "./run-context.ts";

/**
 * Ends an operation that no daemon runs: finishes it when it was committed, else undoes it (`aborted`). Reports one that has ended
 * already. Fails with `operation_unknown`, `operation_version` or `scope_busy`; nothing was touched then.
 */
export async function resolveInterrupted(
  primitives: PrimitiveRegistry,
  operation: string,
  deps: Omit<EngineDeps, "ports" | "primitives"> & { readonly store: Store },
): Promise<OperationResult> {
  const began = deps.clock.now();
  const read = async () => {
    const entries = await readJournal(deps.store.journals, operation);
    const record = fold(entries);
    if (record !== undefined) return { entries, record };
    throw new PloyzError({
      code: "operation_unknown",
      message: `there is no operation ${operation}`,
      hint: "ployzctl ops ls",
    });
  };
  const seen = await read();
  if (isFinal(seen.record.state)) return reported(seen.record, began, deps.clock);
  const owner = primitives.get(seen.record.primitive);
  if (owner === undefined || owner.primitive.version !== seen.record.version)
    throw unknownVersion(seen.record);
  const [first, ...rest] = [...seen.record.scope].sort();
  if (first === undefined) throw new Error(`operation ${operation} has no scope`);
  const limits = { ...DEFAULT_LIMITS, ...deps.limits };
  // The operator's abort signal does not apply: an undo is not aborted half way.
  const run: Run = {
    ...{ registered: owner, input: seen.record.input, limits },
    deps: { ...deps, ports: owner.ports, primitives },
    id: deps.ids.newOperationId(),
  };
  await notRunningHere(run, first, operation);
  const keeper = await hold(run, [first, ...rest], operation);
  try {
    const now = await read();
    if (isFinal(now.record.state)) return reported(now.record, began, deps.clock);
    const revision = await committedAt(now.record, owner);
    const session = sessionFor(run, owner, keeper, now);
    const why = { code: "aborted", message: `operation ${operation} was aborted`, operationId: operation };
    const ending = await resolve(session, now.record, { why, ...(revision !== undefined && { revision }) });
    const ms = deps.clock.now() - began;
    return { kind: "operation", operation, primitive: now.record.primitive, ...ending, ms };
  } finally {
    await keeper.release();
  }
}

function reported(record: OperationRecord, began: number, clock: Clock): OperationResult {
  const { operation, primitive, state, revision, error, owed } = record;
  return {
    ...{ kind: "operation", operation, primitive, state, owed, output: null, warnings: [] },
    changed: revision !== undefined,
    ...(revision !== undefined && { revision }),
    ...(error !== undefined && { error }),
    ms: clock.now() - began,
  };
}

export interface MarkOptions {
  readonly store: Store;
  readonly machine: string;
  readonly clock: Clock;
  readonly ids: { newOperationId(): string };
  /** Whether this daemon runs the operation now. */
  isRunning(operation: string): boolean;
  readonly limit?: number;
}

/**
 * For a starting daemon: journals operations that this machine coordinated and no longer runs as `interrupted`, and releases their
 * leases, so that the next command need not wait for them. Resolves with their ids.
 */
export async function markInterrupted(options: MarkOptions): Promise<readonly string[]> {
  const { store, machine, clock, ids, limit = DEFAULT_LIMITS.predecessors } = options;
  const marked: string[] = [];
  for (const { value: summary } of await store.journals.summaries(limit)) {
    const { operation } = summary;
    if (summary.state !== "running" || summary.coordinator !== machine || options.isRunning(operation))
      continue;
    const entries = await unlessUnreadable(readJournal(store.journals, operation));
    if (entries === undefined) continue;
    const lost = new AbortController().signal;
    const journal = openJournal({
      store: store.journals,
      operation,
      entries,
      run: ids.newOperationId(),
      clock,
      rideMs: 0,
      lost,
    });
    const record = journal.record();
    if (record === undefined || record.coordinator !== machine) continue;
    if (record.state === "running") {
      const message = `the daemon on machine ${machine} stopped while it ran operation ${operation}`;
      const hint = `run the same command again, or undo it: ployzctl ops abort ${operation}`;
      const error = { code: "interrupted", message, hint, machine, operationId: operation };
      const mine = await journal.append({ type: "interrupted", error }).catch((failed: unknown) => {
        if (errorBody(failed).code === "operation_taken_over") return undefined;
        throw failed;
      });
      if (mine === undefined) continue;
      marked.push(operation);
    }
    await journal.publish();
    await freeLeases(store, record.scope, { operation, machine });
  }
  return marked;
}

async function freeLeases(store: Store, scopes: readonly string[], holder: LeaseHolder): Promise<void> {
  for (const scope of scopes) {
    const lease = await store.leases.get(scope);
    if (lease?.holder.operation === holder.operation && lease.holder.machine === holder.machine) {
      await store.leases.release(lease);
    }
  }
}

/** An operation as listings show it: `interrupted` when it is recorded as running but its scope is not leased. */
export function presentSummary(summary: OperationSummary, heldScopes: ReadonlySet<string>): OperationSummary {
  const held = summary.scope.some((scope) => heldScopes.has(scope));
  return summary.state === "running" && !held ? { ...summary, state: "interrupted" } : summary;
}
