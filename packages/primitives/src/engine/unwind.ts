import type { ErrorBody } from "@ployz/errors";
import type { Owed } from "../model/journal.ts";
import { undoStep } from "./attempt.ts";
import { runGraph, undoOrder } from "./graph.ts";
import { journaled } from "./journaled.ts";
import { isLost } from "./lost.ts";
import { planOf, recordOf, type Session } from "./session.ts";
import type { PlannedStep } from "./types.ts";

/**
 * Undoes every prepare step that was started, each after its dependents. Resolves with the steps that could not be undone: a step whose
 * dependent remains on its machine is kept.
 */
export async function unwind(
  session: Session,
  why: { readonly error: ErrorBody; readonly final: "failed" | "aborted" },
  capMs?: number,
): Promise<readonly Owed[]> {
  const { journal, limits, keeper } = session;
  if (recordOf(session).plan === undefined) return [];
  if (recordOf(session).unwinding === undefined) await journal.append({ type: "unwinding", ...why });
  const ran = recordOf(session).steps;
  const standing = planOf(session).prepare.filter((step) => {
    const state = ran.get(step.id)?.state;
    return state !== undefined && state !== "undone";
  });
  const errors = new Map<string, ErrorBody>();
  const undoable = ({ kind }: PlannedStep) => session.primitive.steps[kind]?.undo !== undefined;
  const blocked = await runGraph(undoOrder(standing, undoable), {
    ...limits,
    stopped: () => keeper.lost.aborted,
    // A machine that does not answer delays nothing on another.
    passes: ({ machine }) => machine !== undefined && session.silent.has(machine),
    run: async ({ step }) => {
      const error = await undoOne(session, step, capMs);
      if (error === undefined || (await isLost(session, step, error))) return true;
      errors.set(step.id, error);
      return false;
    },
  });
  if (keeper.lost.aborted) throw keeper.lost.reason;
  for (const { id, step } of blocked) {
    const message = `${step.title}: not undone, because a step that builds on it could not be undone`;
    errors.set(id, { code: "undo_blocked", message, step: id, operationId: journal.operation });
  }
  return [...errors].map(([step, error]) => ({ step, error }));
}

function undoOne(session: Session, step: PlannedStep, capMs?: number): Promise<ErrorBody | undefined> {
  return journaled(session, step, "undo", async () => {
    await undoStep(session, step, session.keeper.lost, capMs);
    return null;
  });
}
