import { errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import type { Json } from "../model/json.ts";
import type { OperationResult } from "../model/operation.ts";
import { isCertain, trueEnding } from "./aftermath.ts";
import { asJson } from "./canonical.ts";
import { clear, type Resume } from "./clear.ts";
import {
  type AnyPrimitive,
  type EngineDeps,
  type Outcome,
  type Refused,
  type RegisteredPrimitive,
  type RunMode,
  type RunRequest,
  register,
} from "./deps.ts";
import { type Ending, execute, interrupted } from "./execute.ts";
import { Interrupted } from "./interrupted.ts";
import type { LeaseKeeper } from "./leases.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { observeAndPlan, RefusedError } from "./planning.ts";
import { isResumable, unfinishedOn } from "./predecessors.ts";
import { checkPrepared, keepPrepared } from "./prepared.ts";
import { hold, notRunningHere, type Run, sessionFor } from "./run-context.ts";
import type { Session } from "./session.ts";
import type { Kinds, Plan, Primitive, PrimitivePorts, Summary } from "./types.ts";
import { planView } from "./view.ts";

/**
 * Runs one command: parse, lease, resolve what an interrupted predecessor left, observe, plan, prepare, commit, settle.
 * Never throws for an expected case: a refusal, a failure and an interruption are outcomes. The last event is `result`
 * or `refused` (for a preview: `plan`).
 */
export async function runOperation<
  Ports extends PrimitivePorts,
  In extends Json,
  Facts,
  K extends Kinds,
  R extends Json,
  S extends Summary,
  Sent,
  M extends RunMode,
>(
  primitive: Primitive<Ports, In, Facts, K, R, S, Sent>,
  request: RunRequest<NoInfer<Sent>, M>,
  deps: EngineDeps<Ports>,
): Promise<Outcome<R, Omit<S, "next">, M>>;
export async function runOperation(
  primitive: AnyPrimitive,
  request: RunRequest,
  deps: EngineDeps,
): Promise<Outcome> {
  const registered = register(primitive, deps.ports);
  const outcome = await dispatch(registered, request, deps);
  if (outcome.kind === "operation") deps.emit({ type: "result", result: outcome });
  if (outcome.kind === "refused") deps.emit({ type: "refused", refusals: outcome.refusals });
  return outcome;
}

async function dispatch(
  registered: RegisteredPrimitive,
  request: RunRequest,
  deps: EngineDeps,
): Promise<Outcome> {
  const { primitive } = registered;
  const parsed = primitive.parse(request.input);
  if (!parsed.ok) return { kind: "refused", primitive: primitive.name, refusals: parsed.refusals };
  const limits = { ...DEFAULT_LIMITS, ...deps.limits };
  const { prepared } = request;
  const run: Run = {
    registered,
    input: asJson(parsed.input),
    deps,
    limits,
    id: prepared?.id ?? deps.ids.newOperationId(),
    ...(prepared && { expected: prepared.hash }),
  };
  try {
    return request.mode === "apply" ? await apply(run) : await preview(run, request.mode === "prepare");
  } catch (error) {
    return refused(run, error);
  }
}

/** An error before anything was touched. A bug is reported the same way rather than crashing the daemon. */
function refused({ registered, id }: Run, error: unknown): Refused {
  const refusals = error instanceof RefusedError ? error.refusals : [errorBody(error)];
  // An operation that did not begin has no record that its id could show.
  const named = refusals.map(({ operationId, ...body }) =>
    operationId === undefined || operationId === id ? body : { ...body, operationId },
  );
  return { kind: "refused", primitive: registered.primitive.name, refusals: named };
}

async function preview(run: Run, keep: boolean): Promise<Outcome> {
  const { plan } = await observeAndPlan(run, run.id, run.deps.signal);
  const view =
    keep && plan.changes ? await keepPrepared(run, plan) : planView(run.registered.primitive.name, plan);
  run.deps.emit({ type: "plan", plan: view });
  return view;
}

async function apply(run: Run): Promise<Outcome> {
  const { registered, input, deps } = run;
  const { primitive, ports } = registered;
  const sorted = [...new Set(primitive.scope(input))].sort();
  const [first, ...rest] = sorted;
  if (first === undefined) throw new Error(`primitive ${primitive.name} has no scope`);
  const scopes = [first, ...rest] as const;
  const began = deps.clock.now();

  // The lease carries the id of the operation that will run, so that a concurrent command names the right one. The id is only
  // certain under the lease: hence a guess, and another round when it was wrong.
  let operation = await guess(run, scopes);
  const resolved = new Set<string>();
  for (let round = 0; round < 4; round++) {
    if (operation !== run.id) await notRunningHere(run, first, operation);
    deps.emit({ type: "accepted", operation, primitive: primitive.name, resumed: operation !== run.id });
    const keeper = await hold(run, scopes, operation);
    let release = true;
    try {
      const warnings: string[] = [];
      const found = await unfinishedOn(ports.store.journals, scopes);
      const resume = await clear(run, keeper, found, { warnings, resolved });
      const wanted = resume?.unfinished.record.operation ?? run.id;
      if (wanted !== operation) {
        operation = wanted;
        continue;
      }
      let stopped: Interrupted | undefined;
      const ending: Proceeded = await proceed(run, keeper, scopes, resume).catch((error: unknown) => {
        if (!(error instanceof Interrupted)) throw error;
        stopped = error;
        return interrupted(error);
      });
      release = ending.error?.code !== "operation_taken_over";
      const lost = { operation, scope: first, ending };
      const known = isCertain(ending) ? ending : await trueEnding(run, registered, lost);
      if (known === undefined) throw stopped;
      return resultOf(run, operation, known, warnings, began);
    } catch (error) {
      release = errorBody(error).code !== "operation_taken_over";
      throw error;
    } finally {
      if (release) await keeper.release();
      else keeper.abandon();
    }
  }
  throw new PloyzError({
    code: "scope_busy",
    message: `other operations on ${sorted.join(", ")} keep changing`,
    hint: "run the same command again",
  });
}

async function guess(run: Run, scopes: readonly string[]): Promise<string> {
  const found = await unfinishedOn(run.registered.ports.store.journals, scopes);
  const same = found.filter(({ record }) => isResumable(record, run.registered, run.input));
  return same.at(-1)?.record.operation ?? run.id;
}

/** `unrecorded`: nothing was to be changed, so that there is no journal under its id. */
type Proceeded = Ending & { readonly unrecorded?: true };

async function proceed(
  run: Run,
  keeper: LeaseKeeper,
  scopes: readonly string[],
  resume: Resume | undefined,
): Promise<Proceeded> {
  const { deps, registered, input } = run;
  const { primitive } = registered;
  const operation = resume?.unfinished.record.operation ?? run.id;
  const planned =
    resume?.planned ?? (await observeAndPlan(run, operation, AbortSignal.any([deps.signal, keeper.lost])));
  if (resume === undefined) checkPrepared(planned.plan, run.expected);
  if (resume === undefined && !planned.plan.changes) {
    deps.emit({ type: "plan", plan: planView(primitive.name, planned.plan) });
    const nothing = { state: "done", changed: false, output: null, owed: [] } as const;
    return { ...nothing, warnings: planned.plan.warnings, unrecorded: true };
  }
  // A run whose lease expired while it observed stops here, before it writes anything.
  if (!(await keeper.ensure())) throw keeper.lost.reason;
  const session = sessionFor(run, registered, keeper, resume?.unfinished ?? operation);
  await begin(session, run, scopes, resume, planned.plan);
  const replan = () => observeAndPlan(run, operation, keeper.lost);
  return execute(session, { input, facts: planned.facts, replan });
}

/** Nothing was touched before this; from here on the journal shows this operation on its scopes. */
async function begin(
  session: Session,
  run: Run,
  scopes: readonly string[],
  resume: Resume | undefined,
  plan: Plan,
): Promise<void> {
  const { journal } = session;
  const { primitive } = run.registered;
  const { machine, by } = run.deps.self;
  if (resume === undefined) {
    const { name, version } = primitive;
    const of = { operation: run.id, primitive: name, version, input: run.input, scope: scopes };
    await journal.append({ type: "opened", ...of, coordinator: machine, by });
  } else {
    await journal.append({ type: "resumed", coordinator: machine, why: "interrupted" });
  }
  await journal.publish();
  if (resume?.planned === undefined) await journal.append({ type: "planned", plan });
}

function resultOf(
  run: Run,
  operation: string,
  { unrecorded, ...ending }: Proceeded,
  warnings: readonly string[],
  began: number,
): OperationResult {
  const ms = run.deps.clock.now() - began;
  const all = [...warnings, ...ending.warnings];
  const shown = unrecorded === undefined && { operation };
  return {
    kind: "operation",
    ...shown,
    primitive: run.registered.primitive.name,
    ...ending,
    warnings: all,
    ms,
  };
}
