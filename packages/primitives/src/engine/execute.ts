import { type ErrorBody, errorBody } from "@ployz/errors";
import type { Owed } from "../model/journal.ts";
import type { Json } from "../model/json.ts";
import type { OperationResult } from "../model/operation.ts";
import { prepare, settle } from "./apply.ts";
import { checkKind, outputOf } from "./attempt.ts";
import { commitOnce, conflictError, pointSummary } from "./commit.ts";
import type { AnyPrimitive } from "./deps.ts";
import type { OperationRecord } from "./fold.ts";
import { Interrupted, located } from "./interrupted.ts";
import { abortedError } from "./leases.ts";
import { planOf, recordOf, type Session } from "./session.ts";
import type { Plan } from "./types.ts";
import { unwind } from "./unwind.ts";
import { planView } from "./view.ts";

export interface Execution {
  readonly input: Json;
  readonly facts: unknown;
  /** Observes and plans again after a lost commit race. @throws RefusedError */
  replan(): Promise<{ readonly facts: unknown; readonly plan: Plan }>;
}

/** The fields of an `OperationResult` that this file sets. */
export type Ending = Pick<OperationResult, "state" | "changed" | "owed"> & {
  readonly output: Json;
  readonly revision?: number;
  readonly error?: ErrorBody;
  readonly warnings: readonly string[];
};

/** Warning: the operation ended, but its journal lacks the last entry. */
export const RECORD_LAGS =
  "the end of this operation could not be recorded; the next command on its scope will do that";

/** Runs a journaled plan: prepare, commit, settle; or undoes it. */
export async function execute(session: Session, execution: Execution): Promise<Ending> {
  try {
    return await rounds(session, execution);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    const { revision } = recordOf(session);
    const body = errorBody(error);
    if (revision !== undefined) return finished(session, revision, owedBy(recordOf(session), body));
    return interrupted(error);
  }
}

async function rounds(session: Session, execution: Execution): Promise<Ending> {
  const { journal, deps, limits, signal } = session;
  const operation = journal.operation;
  let { facts } = execution;
  for (let round = 0; ; round++) {
    deps.emit({ type: "plan", plan: planView(session.primitive.name, planOf(session)) });
    const failure = await prepare(session);
    if (failure !== undefined) return takeBack(session, failure);
    if (signal.aborted) return takeBack(session, located(abortedError(), { operation }));
    const committed = await commit(session, execution.input, facts);
    if (typeof committed === "number") return finish(session, committed);
    if (committed.code !== "commit_conflict" || round >= limits.replans) return takeBack(session, committed);
    const owed = await unwind(session, { error: committed, final: "failed" });
    if (owed.length > 0) return end(session, { state: "cleanup-owed", error: committed, owed });
    try {
      const again = await execution.replan();
      facts = again.facts;
      await journal.append({ type: "planned", plan: again.plan });
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      return end(session, { state: "failed", error: located(error, { operation }), owed: [] });
    }
    if (!planOf(session).changes) return end(session, { state: "done", owed: [] });
  }
}

/** The revision, or why it was not committed. */
async function commit(session: Session, input: Json, facts: unknown): Promise<number | ErrorBody> {
  const { journal, deps, clock, primitive } = session;
  const operation = journal.operation;
  const at = new Date(clock.now()).toISOString();
  const output = (step: string, ...kinds: readonly string[]) => outputOf(session, step, kinds);
  try {
    const context = { operation, at, by: deps.self.by, output };
    const point = primitive.commit(input, facts, planOf(session), context);
    await journal.append({ type: "committing", point: pointSummary(point) });
    if (session.signal.aborted) throw abortedError();
    const outcome = await commitOnce(session, point);
    if (outcome.kind === "refused") return { ...outcome.refusal, operationId: operation };
    if (outcome.kind === "conflict") throw conflictError(operation, point);
    await journal.append({ type: "committed", revision: outcome.revision }).catch((error: unknown) => {
      // The commit is in the store, where a later run finds it: only the settle steps are left to that run.
      if (!(error instanceof Interrupted)) throw error;
    });
    deps.emit({ type: "committed", revision: outcome.revision });
    return outcome.revision;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return located(error, { operation });
  }
}

/** Forward only. */
export async function finish(session: Session, revision: number, capMs?: number): Promise<Ending> {
  return finished(session, revision, await settle(session, capMs));
}

async function finished(session: Session, revision: number, owed: readonly Owed[]): Promise<Ending> {
  const { primitive, resumed } = session;
  const state = owed.length === 0 ? "done" : "cleanup-owed";
  const output = resultOf(primitive, recordOf(session), { revision, resumed });
  return end(session, { state, owed }, { revision, output });
}

/** A bug in `result` must not fail a committed operation. */
function resultOf(
  primitive: AnyPrimitive,
  { plan, steps, input }: OperationRecord,
  { revision, resumed }: { readonly revision: number; readonly resumed: boolean },
): Json {
  const output = (step: string, ...kinds: readonly string[]) => {
    checkKind([...(plan?.prepare ?? []), ...(plan?.settle ?? [])], step, kinds);
    return steps.get(step)?.out;
  };
  const took = (step: string) => {
    const ran = resumed ? undefined : steps.get(step);
    return ran?.state === "done" && ran.ms !== undefined
      ? { from: ran.startedAt, to: ran.startedAt + ran.ms }
      : undefined;
  };
  try {
    return plan === undefined ? null : primitive.result(input, plan, { revision, output, took });
  } catch (error) {
    return { error: errorBody(error) };
  }
}

export const interrupted = (error: Interrupted): Ending => ({
  ...{ state: "interrupted", changed: false, output: null, owed: [], warnings: [] },
  error: errorBody(error),
});

/** How an operation ended that has no runner, by its journal. One that is committed owes the rest of its steps. */
export function endingOf(record: OperationRecord, primitive?: AnyPrimitive): Ending {
  const { state, revision, error } = record;
  const open = state === "running" || state === "interrupted";
  if (revision === undefined)
    return {
      ...{ changed: false, output: null, owed: record.owed, warnings: [] },
      ...(error !== undefined && { error }),
      state: open ? "interrupted" : state,
    };
  const output = primitive ? resultOf(primitive, record, { revision, resumed: true }) : null;
  const rest = owedBy(
    record,
    error ?? { code: "interrupted", message: "its runner stopped before this step" },
  );
  const ended = open ? ({ state: "cleanup-owed", owed: rest } as const) : { state, owed: record.owed };
  return { ...ended, changed: true, revision, output, warnings: [] };
}

export async function takeBack(session: Session, error: ErrorBody, capMs?: number): Promise<Ending> {
  const final = error.code === "aborted" ? "aborted" : "failed";
  const owed = await unwind(session, { error, final }, capMs);
  return end(session, { state: owed.length === 0 ? final : "cleanup-owed", error, owed });
}

async function end(
  session: Session,
  ended: {
    readonly state: "done" | "failed" | "aborted" | "cleanup-owed";
    readonly error?: ErrorBody;
    readonly owed: readonly Owed[];
  },
  committed?: { readonly revision: number; readonly output: Json },
): Promise<Ending> {
  const warnings = [...session.lost];
  try {
    await session.journal.append({ type: "ended", ...ended });
    await session.journal.publish();
  } catch {
    // The outcome stands; the next run on this scope reads the journal and writes this entry and the summary.
    warnings.push(RECORD_LAGS);
  }
  return { changed: committed !== undefined, output: null, ...committed, ...ended, warnings };
}

/** The settle steps that are not done. */
const owedBy = ({ plan, steps }: OperationRecord, error: ErrorBody): readonly Owed[] =>
  (plan?.settle ?? [])
    .filter(({ id }) => steps.get(id)?.state !== "done")
    .map(({ id }) => ({ step: id, error }));
