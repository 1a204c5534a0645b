import type { ErrorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import { Interrupted, located } from "./interrupted.ts";
import type { Session } from "./session.ts";
import type { PlannedStep } from "./types.ts";

/**
 * Applies or undoes a step, and journals its start and its end. Returns the step's error, `undefined` after a success; throws when the
 * journal cannot be written. The first entry is durable before the effect: an effect whose step is not in the journal would never be undone.
 * A step that only waits has no effect, and no first entry.
 */
export async function journaled(
  { journal, deps, clock, primitive }: Session,
  { id, title, machine, kind: does }: PlannedStep,
  kind: "step" | "undo",
  work: () => Promise<Json>,
): Promise<ErrorBody | undefined> {
  const [started, done, failed] =
    kind === "step"
      ? (["started", "done", "failed"] as const)
      : (["undoing", "undone", "undo-failed"] as const);
  const at = { step: id, ...(machine !== undefined && { machine }) };
  const event = { type: "step", title, ...at } as const;
  const waits = kind === "step" && primitive.steps[does]?.waits === true;
  if (!waits) await journal.append({ type: `${kind}-started`, step: id });
  deps.emit({ ...event, state: started });
  const from = clock.now();
  const since = waits ? { from } : {};
  try {
    const out = await work();
    await journal.append(
      kind === "step" ? { type: "step-done", step: id, out, ...since } : { type: "undo-done", step: id },
    );
    deps.emit({ ...event, state: done, ms: clock.now() - from });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Interrupted) throw thrown;
    const error = located(thrown, { operation: journal.operation, ...at });
    await journal.append(
      kind === "step"
        ? { type: "step-failed", step: id, error, ...since }
        : { type: "undo-failed", step: id, error },
    );
    deps.emit({ ...event, state: failed, ms: clock.now() - from, error });
    return error;
  }
}
