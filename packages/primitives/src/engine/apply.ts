import { type ErrorBody, errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import type { Owed } from "../model/journal.ts";
import { applyStep } from "./attempt.ts";
import { abortController, onAbort } from "./clock.ts";
import { runGraph } from "./graph.ts";
import { Interrupted, located } from "./interrupted.ts";
import { journaled } from "./journaled.ts";
import { abortedError } from "./leases.ts";
import { isLost } from "./lost.ts";
import { planOf, recordOf, type Session } from "./session.ts";
import type { PlannedStep } from "./types.ts";

/**
 * Runs every prepare step that is not done. Resolves with `undefined` when all are done, else with the first failure, once its
 * siblings were stopped and have ended. Fails with `Interrupted` when this runner lost the operation.
 */
export async function prepare(session: Session): Promise<ErrorBody | undefined> {
  const { keeper, limits, signal } = session;
  const operation = session.journal.operation;
  const stop = abortController();
  let failure: ErrorBody | undefined;
  const fail = (body: ErrorBody, why: PloyzError) => {
    failure ??= body;
    stop.abort(why);
  };
  const unlink = [
    onAbort(signal, () => fail(located(abortedError(), { operation }), abortedError())),
    onAbort(keeper.lost, () => stop.abort(keeper.lost.reason)),
  ];
  try {
    await runGraph(unprepared(session), {
      ...limits,
      stopped: () => stop.signal.aborted,
      waits: (step) => waits(session, step),
      run: async (step) => {
        try {
          const error = await runStep(session, step, stop.signal);
          if (error !== undefined) fail(error, stoppedBy(step));
          return error === undefined;
        } catch (error) {
          stop.abort(error);
          throw error;
        }
      },
    });
    if (keeper.lost.aborted) throw keeper.lost.reason;
    return failure;
  } finally {
    for (const stopListening of unlink) stopListening();
  }
}

/** The error of the steps that were running when another one failed. */
function stoppedBy({ title }: PlannedStep): PloyzError {
  return new PloyzError({ code: "aborted", message: `stopped, because another step failed: ${title}` });
}

/** Runs every settle step that is not done; a failed one stops only its dependents. Resolves with the steps still owed. */
export async function settle(session: Session, capMs?: number): Promise<readonly Owed[]> {
  const { keeper, limits } = session;
  const steps = remaining(session, planOf(session).settle);
  const errors = new Map<string, ErrorBody>();
  const over = new Set<string>();
  let stopped: ErrorBody | undefined;
  try {
    await runGraph(steps, {
      ...limits,
      stopped: () => keeper.lost.aborted,
      waits: (step) => waits(session, step),
      run: async (step) => {
        const error = await runStep(session, step, keeper.lost, capMs);
        if (error === undefined) return true;
        if (await isLost(session, step, error)) {
          over.add(step.id);
          return true;
        }
        errors.set(step.id, error);
        return false;
      },
    });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    stopped = errorBody(error);
  }
  const done = recordOf(session).steps;
  const operation = session.journal.operation;
  return steps
    .filter(({ id }) => done.get(id)?.state !== "done" && !over.has(id))
    .map(({ id, title }) => ({
      step: id,
      error: errors.get(id) ??
        stopped ?? {
          code: "needs_failed",
          message: `${title}: skipped: a step it needs failed`,
          operationId: operation,
        },
    }));
}

/** Prepare steps left to run; in a resumed operation also those whose effect may have been lost. */
function unprepared(session: Session): readonly PlannedStep[] {
  const { prepare } = planOf(session);
  const left = new Set(remaining(session, prepare));
  const gone = ({ kind, args }: PlannedStep) => session.primitive.steps[kind]?.fleeting?.(args) === true;
  return prepare.filter((step) => left.has(step) || (session.resumed && gone(step)));
}

function remaining(session: Session, steps: readonly PlannedStep[]): readonly PlannedStep[] {
  const { steps: ran } = recordOf(session);
  return steps.filter(({ id }) => ran.get(id)?.state !== "done");
}

const waits = ({ primitive }: Session, { kind }: PlannedStep): boolean =>
  primitive.steps[kind]?.waits === true;

const runStep = (session: Session, step: PlannedStep, signal: AbortSignal, capMs?: number) =>
  journaled(session, step, "step", () => applyStep(session, step, signal, capMs));
