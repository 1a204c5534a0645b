import { type ErrorBody, errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import type { OperationResult, OperationSummary } from "../model/operation.ts";
import type { LeaseHolder, Store } from "../ports/store.ts";
import { isCertain, trueEnding } from "./aftermath.ts";
import type { Clock } from "./clock.ts";
import type { AnyPrimitive, EngineDeps, PrimitiveRegistry } from "./deps.ts";
import { endingOf, interrupted } from "./execute.ts";
import { fold, isFinal, type OperationRecord } from "./fold.ts";
import { TURN_SCOPE } from "./guard.ts";
import { Interrupted } from "./interrupted.ts";
import { openJournal, readJournal } from "./journal.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { committedAt, resolve, unfinishedOn, unknownVersion } from "./predecessors.ts";
import { hold, notRunningHere, type Run, sessionFor } from "./run-context.ts";

/** The result of an operation that has a journal. */
type Recorded = OperationResult & { readonly operation: string };

/**
 * Ends an operation that no daemon runs: finishes it when it was committed, else undoes it. Reports one that has ended already. `why`: the
 * error of one that is undone, unless a step of it had failed; without it the operator has aborted it. `giveUp`: steps that are not owed
 * any more when they fail. `quick`: tries each step for a short time only. Fails with `operation_unknown`, `operation_version`,
 * `step_unknown` or `scope_busy`; nothing was touched then.
 */
export async function resolveInterrupted(
  primitives: PrimitiveRegistry,
  operation: string,
  deps: Omit<EngineDeps, "ports" | "primitives"> & { readonly store: Store },
  options: { readonly why?: ErrorBody; readonly giveUp?: readonly string[]; readonly quick?: boolean } = {},
): Promise<Recorded> {
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
  const owner = primitives.get(seen.record.primitive);
  if (isFinal(seen.record.state)) return recordedResult(seen.record, deps.store, owner?.primitive);
  if (owner === undefined || owner.primitive.version !== seen.record.version)
    throw unknownVersion(seen.record);
  const { prepare = [], settle = [] } = seen.record.plan ?? {};
  const known = new Set([...prepare, ...settle].map(({ id }) => id));
  const unknown = options.giveUp?.find((step) => !known.has(step));
  if (unknown !== undefined) throw noStep(seen.record, unknown);
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
  deps.emit({ type: "accepted", operation, primitive: seen.record.primitive, resumed: true });
  const keeper = await hold(run, [first, ...rest], operation);
  try {
    const now = await read();
    if (isFinal(now.record.state)) return recordedResult(now.record, deps.store, owner.primitive);
    const revision = await committedAt(now.record, deps.store);
    const session = sessionFor(run, owner, keeper, now, options.giveUp);
    const aborted = {
      code: "aborted",
      message: `operation ${operation} was aborted`,
      operationId: operation,
    };
    const how = {
      why: options.why ?? aborted,
      ...(revision !== undefined && { revision }),
      ...(options.quick && { capMs: limits.owedRetryMs }),
    };
    const ending = await resolve(session, now.record, how).catch((error: unknown) => {
      if (!(error instanceof Interrupted)) throw error;
      return interrupted(error);
    });
    const lost = { operation, scope: first, ending };
    const told = isCertain(ending) ? ending : ((await trueEnding(run, owner, lost)) ?? ending);
    const ms = deps.clock.now() - began;
    return { kind: "operation", operation, primitive: now.record.primitive, ...told, ms };
  } finally {
    await keeper.release();
  }
}

function noStep({ operation, owed }: OperationRecord, step: string): PloyzError {
  const owes = owed.map((one) => `"${one.step}"`).join(", ");
  return new PloyzError({
    code: "step_unknown",
    message: `operation ${operation} has no step "${step}"`,
    hint: owes === "" ? `ployzctl ops show ${operation}` : `it owes ${owes}`,
    operationId: operation,
  });
}

/** The result of an operation without a runner, from its journal and the store: a commit that its journal lacks counts. */
export async function recordedResult(
  record: OperationRecord,
  store: Store,
  primitive?: AnyPrimitive,
): Promise<Recorded> {
  const { operation, primitive: name, startedAt, endedAt = startedAt } = record;
  const revision = await committedAt(record, store);
  const ending = endingOf({ ...record, ...(revision !== undefined && { revision }) }, primitive);
  return { kind: "operation", operation, primitive: name, ...ending, ms: endedAt - startedAt };
}

export interface MarkOptions {
  readonly store: Store;
  readonly machine: string;
  readonly clock: Clock;
  readonly ids: { newOperationId(): string };
  /** Whether this daemon runs the operation now. */
  isRunning(operation: string): boolean;
}

/**
 * For a starting daemon: journals operations that this machine coordinated and no longer runs as `interrupted`, and releases their
 * leases, so that the next command need not wait for them. Resolves with their ids.
 */
export async function markInterrupted(options: MarkOptions): Promise<readonly string[]> {
  const { store, machine, clock, ids } = options;
  const marked: string[] = [];
  for (const { entries, record: seen } of await unfinishedOn(store.journals)) {
    const { operation } = seen;
    if (seen.coordinator !== machine || options.isRunning(operation)) continue;
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
    if (seen.state === "running") {
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
    await freeLeases(store, [...seen.scope, TURN_SCOPE], { operation, machine });
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
