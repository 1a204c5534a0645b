import { setTimeout as sleep } from "node:timers/promises";
import { errorBody } from "@ployz/errors";
import { isFinal, type ScheduleEntry } from "@ployz/primitives/host";
import {
  type OperationEvent,
  type OperationRequest,
  type ScheduleRecord,
  type ScheduleRun,
  type Store,
  scheduleKey,
  scheduleTitle,
} from "@ployz/primitives/protocol";
import { claimOf, type Ended, isAhead, isOpen, isPast } from "./claims.ts";
import type { ClockVerdict } from "./clocks.ts";

export interface FireDeps {
  readonly store: Store;
  readonly self: string;
  now(): number;
  readonly signal: AbortSignal;
  run(request: OperationRequest): AsyncIterable<OperationEvent>;
  isRunning(operation: string): boolean;
  /** Whether this machine's clock is right. */
  clock(): Promise<ClockVerdict>;
}

/**
 * Handles the due ticks of a schedule: writes the claim, and starts the operation if the write was this machine's. Resolves without
 * waiting for its end. `held`: they are left to other machines, because this one's clock is off or the record is ahead of it, or for later,
 * because they wait for the run before.
 */
export async function fire(
  entry: ScheduleEntry,
  deps: FireDeps,
): Promise<{ readonly running?: Promise<void>; readonly held?: true }> {
  const { store, self, now } = deps;
  const clock = await deps.clock();
  if (clock === "off") return { held: true };
  const sure = clock === "sure";
  const key = scheduleKey(entry.namespace, entry.name);
  const present = await store.facts.get(key);
  const ended = await endedOf(present?.value.run, deps);
  const claim = claimOf(entry, present?.value, { now: now(), self, ended, sure });
  if (claim === undefined) {
    const waits = entry.schedule.overlap === "wait" && isOpen(present?.value.run);
    return waits || (present !== undefined && isAhead(present.value, now())) ? { held: true } : {};
  }
  const written = await store.facts.put(key, claim.record, present?.revision ?? 0);
  return written.ok && claim.run !== undefined ? { running: runTick(entry, claim.run, deps) } : {};
}

async function runTick(entry: ScheduleEntry, tick: string, deps: FireDeps): Promise<void> {
  const request: OperationRequest = {
    ...entry.asked(tick),
    mode: "apply",
    by: `schedule ${scheduleTitle(entry)}`,
  };
  let operation: string | undefined;
  // One after the other, beside the operation: it does not wait for a store that is away.
  let notes = Promise.resolve();
  const note = (more: Ran = {}) => {
    const told = { ...(operation !== undefined && { operation }), ...more };
    notes = notes.then(() => tell(entry, tick, told, deps));
    notes.catch(() => undefined); // thrown below
  };
  const at = () => new Date(deps.now()).toISOString();
  const waits = (waitsFor: string) => {
    operation = undefined; // the refused one has no record
    note({ waitsFor });
  };
  try {
    for await (const event of patient(entry, request, deps, waits)) {
      if (event.type === "accepted") {
        operation = event.operation;
        note();
      }
      if (event.type === "refused") {
        const [error] = event.refusals;
        operation = undefined; // likewise
        note({ endedAt: at(), state: "refused", ...(error && { error }) });
      }
      if (event.type === "result") {
        const { state, error } = event.result;
        operation = event.result.operation;
        note({ endedAt: at(), state, ...(error && { error }) });
      }
    }
  } catch (error) {
    // How an operation that has begun ends is in its own record.
    if (operation === undefined) note({ endedAt: at(), state: "failed", error: errorBody(error) });
    else throw error;
  } finally {
    await notes;
  }
}

/** Runs it; while another operation on the same runs, waits for its end. `waits`: gets that operation. */
async function* patient(
  { patient: waits }: ScheduleEntry,
  request: OperationRequest,
  { run, store, signal }: FireDeps,
  waitsFor: (operation: string) => void,
): AsyncIterable<OperationEvent> {
  for (;;) {
    let held: string | undefined;
    for await (const event of run(request)) {
      const [error] = event.type === "refused" ? event.refusals : [];
      if (waits !== true || error?.code !== "scope_busy" || error.operationId === undefined) yield event;
      else held = error.operationId;
    }
    if (held === undefined) return;
    waitsFor(held);
    const lease = (await store.leases.list()).find(({ holder }) => holder.operation === held);
    if (lease !== undefined) await store.leases.whenFree(lease.scope, signal);
    signal.throwIfAborted();
  }
}

type Ran = Pick<Partial<ScheduleRun>, "operation" | "waitsFor" | "endedAt" | "state" | "error">;

/** Between two tries of a store that does not answer, at most. */
const LONGEST_MS = 15_000;

/** Adds to the run of a tick, unless a later one stands there. Tries again while the store is away. */
async function tell(
  { namespace, name }: ScheduleEntry,
  tick: string,
  told: Ran,
  { store, signal }: FireDeps,
): Promise<void> {
  const key = scheduleKey(namespace, name);
  for (let delay = 1_000; ; ) {
    try {
      const present = await store.facts.get(key);
      if (present?.value.run?.tick !== tick) return;
      const { operation: _, waitsFor: __, ...run } = present.value.run;
      const value: ScheduleRecord = { ...present.value, run: { ...run, ...told } };
      if ((await store.facts.put(key, value, present.revision)).ok) return;
    } catch (error) {
      if (errorBody(error).code !== "store_unavailable") throw error;
      await sleep(delay, undefined, { signal });
      delay = Math.min(2 * delay, LONGEST_MS);
    }
  }
}

/** How an open run has ended, by the record of its operation. */
async function endedOf(run: ScheduleRun | undefined, { store, isRunning, now }: FireDeps): Promise<Ended> {
  if (!isOpen(run)) return undefined;
  const operation = run.operation ?? run.waitsFor;
  if (operation === undefined) return "lost";
  if (isRunning(operation)) return undefined;
  const summary = (await store.journals.summary(operation))?.value;
  const leases = await store.leases.list();
  if (run.operation === undefined) {
    const runs = leases.some(({ holder }) => holder.operation === operation);
    const endedAt = Date.parse(summary?.endedAt ?? run.startedAt);
    return runs || !isPast(endedAt, now()) ? undefined : "lost";
  }
  // One that observes has leases and no record yet; one with nothing to do leaves none.
  if (summary === undefined)
    return leases.some(({ holder }) => holder.operation === operation) ? undefined : "lost";
  if (isFinal(summary.state) || summary.state === "cleanup-owed")
    return { state: summary.state, ...(summary.error && { error: summary.error }) };
  const held = new Set(leases.map(({ scope }) => scope));
  return summary.scope.some((scope) => held.has(scope)) ? undefined : { state: "interrupted" };
}
