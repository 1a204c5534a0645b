import { errorBody } from "@ployz/errors";
import { isFinal, type ScheduleEntry } from "@ployz/primitives/host";
import {
  type OperationEvent,
  type OperationRequest,
  type ScheduleRecord,
  type ScheduleRun,
  type Store,
  scheduleKey,
} from "@ployz/primitives/protocol";
import { claimOf, type Ended, isOpen } from "./claims.ts";

export interface FireDeps {
  readonly store: Store;
  readonly self: string;
  now(): number;
  readonly signal: AbortSignal;
  run(request: OperationRequest): AsyncIterable<OperationEvent>;
  isRunning(operation: string): boolean;
}

/** Handles the due ticks of a schedule: writes the claim, and starts the operation if the write was this machine's. Resolves without waiting for its end. */
export async function fire(
  entry: ScheduleEntry,
  deps: FireDeps,
): Promise<{ readonly running?: Promise<void> }> {
  const { store, self, now } = deps;
  const key = scheduleKey(entry.namespace, entry.name);
  const present = await store.facts.get(key);
  const ended = await endedOf(present?.value.run, deps);
  const claim = claimOf(entry, present?.value, { now: now(), self, ended });
  if (claim === undefined) return {};
  const written = await store.facts.put(key, claim.record, present?.revision ?? 0);
  return written.ok && claim.run !== undefined ? { running: runTick(entry, claim.run, deps) } : {};
}

async function runTick(entry: ScheduleEntry, tick: string, deps: FireDeps): Promise<void> {
  const request: OperationRequest = {
    ...entry.asked(tick),
    mode: "apply",
    by: `schedule ${entry.namespace}/${entry.name}`,
  };
  let operation: string | undefined;
  const note = (told: Ran = {}) => tell(entry, tick, { operation, ...told }, deps);
  const at = () => new Date(deps.now()).toISOString();
  try {
    for await (const event of patient(entry, request, deps)) {
      if (event.type === "accepted") {
        operation = event.operation;
        await note();
      }
      if (event.type === "refused") {
        const [error] = event.refusals;
        operation = undefined; // it has no record
        await note({ endedAt: at(), state: "refused", ...(error && { error }) });
      }
      if (event.type === "result") {
        const { state, error } = event.result;
        operation = event.result.operation;
        await note({ endedAt: at(), state, ...(error && { error }) });
      }
    }
  } catch (error) {
    await note({ endedAt: at(), state: "failed", error: errorBody(error) });
  }
}

/** Runs it; while another operation on the same runs, waits for its end. */
async function* patient(
  { patient: waits }: ScheduleEntry,
  request: OperationRequest,
  { run, store, signal }: FireDeps,
): AsyncIterable<OperationEvent> {
  for (;;) {
    let held: string | undefined;
    for await (const event of run(request)) {
      const [error] = event.type === "refused" ? event.refusals : [];
      if (waits !== true || error?.code !== "scope_busy" || error.operationId === undefined) yield event;
      else held = error.operationId;
    }
    if (held === undefined) return;
    const lease = (await store.leases.list()).find(({ holder }) => holder.operation === held);
    if (lease !== undefined) await store.leases.whenFree(lease.scope, signal);
    signal.throwIfAborted();
  }
}

type Ran = Pick<Partial<ScheduleRun>, "endedAt" | "state" | "error">;

/** Adds to the run of a tick, unless a later one stands there. */
async function tell(
  { namespace, name }: ScheduleEntry,
  tick: string,
  { operation, ...told }: Ran & { readonly operation: string | undefined },
  { store }: FireDeps,
): Promise<void> {
  const key = scheduleKey(namespace, name);
  for (;;) {
    const present = await store.facts.get(key);
    if (present?.value.run?.tick !== tick) return;
    const { operation: _, ...run } = present.value.run;
    const by = operation !== undefined && { operation };
    const value: ScheduleRecord = { ...present.value, run: { ...run, ...by, ...told } };
    if ((await store.facts.put(key, value, present.revision)).ok) return;
  }
}

/** How an open run has ended, by the record of its operation. */
async function endedOf(run: ScheduleRun | undefined, { store, isRunning }: FireDeps): Promise<Ended> {
  if (!isOpen(run)) return undefined;
  if (run.operation === undefined) return "lost";
  if (isRunning(run.operation)) return undefined;
  const summary = (await store.journals.summary(run.operation))?.value;
  // An operation with nothing to do, or that only waits, has no record yet.
  if (summary === undefined) return "lost";
  if (isFinal(summary.state) || summary.state === "cleanup-owed")
    return { state: summary.state, ...(summary.error && { error: summary.error }) };
  const held = new Set((await store.leases.list()).map(({ scope }) => scope));
  return summary.scope.some((scope) => held.has(scope)) ? undefined : { state: "interrupted" };
}
