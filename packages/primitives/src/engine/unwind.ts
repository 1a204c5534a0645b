import type { ErrorBody } from "@ployz/errors";
import { undoStep } from "./attempt.ts";
import type { Owed } from "./entries.ts";
import { reversed, runGraph } from "./graph.ts";
import { Interrupted, located } from "./interrupted.ts";
import { planOf, recordOf, type Session } from "./session.ts";
import type { PlannedStep } from "./types.ts";

/**
 * Takes back every prepare step that was started, each after all that needed it. Resolves with what could not be undone: a
 * step whose dependant is still there is left alone too (an address is not freed under a running instance).
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
  const blocked = await runGraph<PlannedStep>(reversed(standing) as readonly PlannedStep[], {
    ...limits,
    stopped: () => keeper.lost.aborted,
    run: async (step) => {
      const error = await undoOne(session, step, capMs);
      if (error !== undefined) errors.set(step.id, error);
      return error === undefined;
    },
  });
  if (keeper.lost.aborted) throw keeper.lost.reason;
  for (const { id, kind, title } of blocked) {
    if (session.primitive.steps[kind]?.undo === undefined) continue; // it leaves nothing behind
    const message = `${title}: not undone, because a step that builds on it could not be undone`;
    errors.set(id, { code: "undo_blocked", message, step: id, operationId: journal.operation });
  }
  return [...errors].map(([step, error]) => ({ step, error }));
}

async function undoOne(session: Session, step: PlannedStep, capMs?: number): Promise<ErrorBody | undefined> {
  const { journal, deps, keeper } = session;
  const { id, title, machine } = step;
  if (session.primitive.steps[step.kind]?.undo === undefined) return undefined;
  const event = { type: "step" as const, step: id, title, ...(machine !== undefined && { machine }) };
  await journal.append({ type: "undo-started", step: id });
  deps.emit({ ...event, state: "undoing" });
  try {
    await undoStep(session, step, keeper.lost, capMs);
    await journal.append({ type: "undo-done", step: id });
    deps.emit({ ...event, state: "undone" });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Interrupted) throw thrown;
    const error = located(thrown, {
      operation: journal.operation,
      step: id,
      ...(machine !== undefined && { machine }),
    });
    await journal.append({ type: "undo-failed", step: id, error });
    deps.emit({ ...event, state: "undo-failed", error });
    return error;
  }
}
