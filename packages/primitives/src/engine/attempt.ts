import { errorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import { asJson } from "./canonical.ts";
import { within } from "./clock.ts";
import { Interrupted, isTransient, takenOver } from "./interrupted.ts";
import { backoffMs } from "./retry.ts";
import { planOf, recordOf, type Session, stepsOf } from "./session.ts";
import type { PlannedStep, PrimitivePorts, StepContext } from "./types.ts";
import { allNeeds } from "./view.ts";

export interface AttemptOptions {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  /** Whether to retry inside the deadline after this error; `n` errors came before it. */
  again(error: unknown, n: number): boolean;
}

export function applyStep(session: Session, step: PlannedStep, signal: AbortSignal, capMs?: number) {
  const def = definition(session, step);
  const deadlineMs = Math.min(def.timeoutMs(step.args), capMs ?? Number.POSITIVE_INFINITY);
  // Nothing after the commit is undone, so it is retried as often as an undo.
  const settles = planOf(session).settle.some(({ id }) => id === step.id);
  const again = (error: unknown, n: number) =>
    def.retryTransient && (isTransient(error) || (settles && n < 2));
  return attempt(session, step, { signal, deadlineMs, again }, async (context) =>
    asJson(await def.apply(step.args, context)),
  );
}

/** Undo is retried more than apply: a failed undo leaves work for the operator. */
export function undoStep(session: Session, step: PlannedStep, signal: AbortSignal, capMs?: number) {
  const def = definition(session, step);
  const deadlineMs = capMs ?? session.limits.undoMs;
  const again = (error: unknown, n: number) => isTransient(error) || n < 2;
  return attempt(session, step, { signal, deadlineMs, again }, async (context) =>
    def.undo?.(step.args, context),
  );
}

function definition(session: Session, step: PlannedStep) {
  const def = session.primitive.steps[step.kind];
  if (def === undefined) throw new Error(`step "${step.id}" has no kind "${step.kind}"`);
  return def;
}

async function attempt<T>(
  session: Session,
  step: PlannedStep,
  options: AttemptOptions,
  work: (context: StepContext<PrimitivePorts>) => Promise<T>,
): Promise<T> {
  const { clock, limits } = session;
  let note: string | undefined;
  let last: unknown;
  /** The machine that does not answer, and since when. */
  let silent: { readonly machine: string; readonly since: number } | undefined;
  const gaveUp = (error: unknown): boolean => {
    silent = silenceOf(error, step, silent?.since, clock.now());
    if (silent === undefined) return false;
    const over = session.silent.has(silent.machine) || clock.now() - silent.since >= limits.unreachableMs;
    if (over) session.silent.add(silent.machine);
    return over;
  };
  const expired = () => {
    if (silent !== undefined) session.silent.add(silent.machine);
    const said = note === undefined ? "" : `: ${note}`;
    const cause = last === undefined ? undefined : errorBody(last);
    const because = cause === undefined ? "" : `; last error: ${cause.message}`;
    const message = `${step.title} took longer than ${options.deadlineMs} ms${said}${because}`;
    return { message, ...(cause?.hint !== undefined && { hint: cause.hint }), cause: last };
  };
  const bound = {
    clock,
    ms: options.deadlineMs,
    parent: options.signal,
    graceMs: limits.abortGraceMs,
    expired,
  };
  return within(bound, async (signal) => {
    const context = contextOf(session, step, signal, (text) => {
      note = text;
    });
    for (let n = 0; ; n++) {
      try {
        const done = await work(context);
        session.silent.delete(step.machine ?? "");
        return done;
      } catch (error) {
        last = error;
        // The machine has seen a newer fence: another runner has replaced this one.
        if (errorBody(error).code === "fenced") throw takenOver(session.journal.operation);
        if (error instanceof Interrupted || signal.aborted || !options.again(error, n)) throw error;
        if (gaveUp(error)) throw error;
        if (n === 0)
          session.deps.emit({ type: "waiting", what: `${step.title}: ${errorBody(error).message}` });
        await clock.sleep(backoffMs(n), signal);
        if (signal.aborted) throw error;
      }
    }
  });
}

/**
 * The machine that the error names, else the step's own. It has been silent since the first such error, and before that for as long as
 * the transport says: a machine without power is noticed late, while the connection of a killed daemon closes at once.
 */
function silenceOf(error: unknown, step: PlannedStep, since: number | undefined, now: number) {
  const { code, machine = step.machine ?? "", details } = errorBody(error);
  if (code !== "machine_unreachable") return undefined;
  const { machine: named = machine, silentMs = 0 } = (details ?? {}) as {
    readonly machine?: string;
    readonly silentMs?: number;
  };
  return { machine: named, since: since ?? now - silentMs };
}

function contextOf(
  session: Session,
  step: PlannedStep,
  signal: AbortSignal,
  noted: (note: string) => void,
): StepContext<PrimitivePorts> {
  const { ports, keeper, deps, journal } = session;
  const operation = journal.operation;
  return {
    ports,
    operation,
    signal,
    output: (id, ...kinds) => outputFor(session, step, id, kinds),
    summary: planOf(session).summary,
    call: (machine, command, args, options) => {
      const fence = { ...keeper.fence, generation: deps.generation() };
      const both = options.signal === signal ? signal : AbortSignal.any([options.signal, signal]);
      return ports.machines.call(machine, command, args, { ...options, signal: both, fence, operation });
    },
    progress(note, numbers) {
      noted(note);
      deps.emit({ type: "progress", step: step.id, note, ...numbers });
    },
  };
}

function outputFor(session: Session, step: PlannedStep, id: string, kinds: readonly string[]): Json {
  const { prepare, settle } = planOf(session);
  const settles = settle.some((s) => s.id === step.id);
  const allowed = allNeeds(stepsOf(session), step).has(id) || (settles && prepare.some((s) => s.id === id));
  if (!allowed) throw new Error(`step "${step.id}" reads the output of "${id}" without needing it`);
  return outputOf(session, id, kinds);
}

/** The output of a finished step, which must have one of `kinds`, if any. */
export function outputOf(session: Session, id: string, kinds: readonly string[]): Json {
  checkKind(stepsOf(session), id, kinds);
  const ran = recordOf(session).steps.get(id);
  if (ran?.out === undefined) throw new Error(`step "${id}" has no output`);
  return ran.out;
}

export function checkKind(steps: readonly PlannedStep[], id: string, kinds: readonly string[]): void {
  const kind = steps.find((step) => step.id === id)?.kind;
  if (kind !== undefined && kinds.length > 0 && !kinds.includes(kind))
    throw new Error(`step "${id}" has kind "${kind}", not ${kinds.join(" or ")}`);
}
