import { errorBody } from "@ployz/errors";
import { EXIT, exitCodeOf } from "@ployz/primitives/client";
import type { OperationCall, OperationEvent, OperationResult, PlanView } from "../api.ts";
import type { Context } from "../command.ts";
import type { Detached, ErrorDocument } from "../documents.ts";
import { PloyzError } from "../error-codes.ts";
import { clean } from "../output/page.ts";

export type Outcome = OperationResult | PlanView | ErrorDocument | Detached;
/** The operator is added. */
type OperationAsked = OperationCall extends infer Call
  ? Call extends unknown
    ? Omit<Call, "by">
    : never
  : never;

export interface Followed {
  readonly outcome: Outcome;
  readonly plan: PlanView | undefined;
}

/** Starts an operation and follows it to its result; a preview or a preparation to its plan. */
export async function runOperation(
  context: Context,
  request: OperationAsked,
  of?: string,
): Promise<Followed> {
  const client = await context.client();
  const body = { ...request, by: context.terminal.by };
  return follow(context, (signal) => client.stream("POST /v1/operations", { body, signal }), {
    preview: request.mode !== "apply",
    ...(of !== undefined && { of }),
  });
}

/**
 * Follows events to their end. Before the commit, the first Ctrl-C asks the daemon to abort and undo, and keeps following. After the
 * commit, or the second time, Ctrl-C detaches.
 */
export async function follow(
  context: Context,
  open: (signal: AbortSignal) => AsyncIterable<OperationEvent>,
  options: {
    readonly of?: string;
    readonly operation?: string;
    readonly abortOnInterrupt?: boolean;
    readonly preview?: boolean;
  } = {},
): Promise<Followed> {
  const detach = new AbortController();
  const signal = AbortSignal.any([detach.signal, context.signal]);
  let operation = options.operation;
  let [interrupts, asked, primitive] = [0, false, ""];
  let committed: number | undefined;
  let plan: PlanView | undefined;

  const askToAbort = async () => {
    if (asked || operation === undefined) return;
    asked = true;
    context.progress.note(`aborting and undoing ${operation}; press Ctrl-C again to detach`);
    const client = await context.client();
    await client
      .request("POST /v1/operations/:id/abort", { params: { id: operation } })
      .catch((error: unknown) => context.progress.note(`could not abort it: ${errorBody(error).message}`));
  };
  const stopListening = context.terminal.onInterrupt(() => {
    interrupts++;
    if (committed !== undefined || interrupts > 1 || options.abortOnInterrupt === false) detach.abort();
    else if (operation === undefined)
      context.progress.note("aborting as soon as it starts; press Ctrl-C again to detach");
    else void askToAbort();
  });

  const finish = (outcome: Outcome): Followed => ({ outcome, plan });
  try {
    for await (const event of lasting(context, open, { signal, operation: () => operation })) {
      context.progress.event(event, options.of);
      switch (event.type) {
        case "accepted":
          operation = event.operation;
          primitive = event.primitive;
          if (interrupts > 0) void askToAbort();
          break;
        case "committed":
          committed = event.revision;
          break;
        case "plan":
          plan = event.plan;
          if (options.preview === true) return finish(plan);
          // Warnings of the plan are shown before it runs, not only in a preview.
          for (const text of plan.warnings)
            context.progress.note(
              `${options.of === undefined ? "" : `${options.of}: `}warning: ${clean(text)}`,
            );
          break;
        case "refused":
          return finish(refused(event.refusals));
        case "result": {
          // Those of the plan were shown as it began, unless no progress is shown.
          const planned = plan?.warnings ?? [];
          const told = context.globals.json || context.globals.quiet ? [] : planned;
          const all = [...planned, ...event.result.warnings, ...outputWarnings(event.result)];
          return finish({
            ...event.result,
            warnings: [...new Set(all)].filter((text) => !told.includes(text)),
          });
        }
        default:
      }
    }
    throw ended(operation);
  } catch (error) {
    if (detach.signal.aborted) return finish(detached(operation, committed !== undefined));
    if (operation === undefined || !LOST.includes(errorBody(error).code)) throw error;
    if (committed !== undefined) return finish(unconfirmed({ operation, primitive, revision: committed }));
    throw errorBody(error).code === "outcome_unknown" ? error : ended(operation, error);
  } finally {
    stopListening();
  }
}

/** The connection broke, before and after the operation was accepted. */
const LOST = ["daemon_unreachable", "outcome_unknown"];
/** How long a stopped daemon may take to come back. */
const BACK_MS = 30_000;
const RETRY_MS = 500;

/** The events, also after the daemon was restarted: the operation's record has its result. */
async function* lasting(
  context: Context,
  open: (signal: AbortSignal) => AsyncIterable<OperationEvent>,
  { signal, operation }: { readonly signal: AbortSignal; operation(): string | undefined },
): AsyncGenerator<OperationEvent> {
  let lost: unknown;
  try {
    yield* open(signal);
  } catch (error) {
    if (errorBody(error).code !== "daemon_unreachable") throw error;
    lost = error;
  }
  const id = operation();
  if (id === undefined || signal.aborted) throw lost ?? ended(id);
  context.progress.note(`lost the connection to ployzd; waiting for it, to see how ${id} ended`);
  const client = await context.client();
  for (const until = performance.now() + BACK_MS; performance.now() < until && !signal.aborted; ) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    try {
      yield* client.stream("GET /v1/operations/:id/events", { params: { id }, signal });
    } catch (error) {
      lost = error;
      const starts =
        errorBody(error).code === "not_a_member" || exitCodeOf(errorBody(error)) === EXIT.unreachable;
      if (!starts) break;
    }
  }
  throw ended(id, lost);
}

/** Committed, and the rest is not known: the daemon has not come back. */
const unconfirmed = (
  of: Pick<OperationResult, "operation" | "primitive"> & { readonly revision: number },
): OperationResult => ({
  ...{ kind: "operation", state: "cleanup-owed", changed: true, output: null, owed: [], ms: 0, ...of },
  warnings: [
    `lost the connection to ployzd after the commit; see how it ended: ployzctl ops show ${of.operation}`,
  ],
});

export function refused(refusals: ErrorDocument["refusals"] & {}): ErrorDocument {
  return { kind: "error", error: refusals[0] ?? { code: "refused", message: "refused" }, refusals };
}

/** Warnings that only the result has, such as a machine that cannot serve a route. */
function outputWarnings({ output }: OperationResult): readonly string[] {
  const { warnings } = (output ?? {}) as { readonly warnings?: unknown };
  return Array.isArray(warnings) ? warnings.map(String) : [];
}

function detached(operation: string | undefined, committed: boolean): Outcome {
  if (operation !== undefined) return { kind: "detached", operation, committed };
  return {
    kind: "error",
    error: { code: "aborted", message: "detached before the operation started", hint: "ployzctl ops ls" },
  };
}

function ended(operation: string | undefined, cause?: unknown): PloyzError {
  const lost = "lost the connection to ployzd before the operation finished";
  return new PloyzError(
    operation === undefined
      ? { code: "daemon_unreachable", message: lost, hint: "ployzctl ops ls" }
      : {
          code: "outcome_unknown",
          message: `${lost}: how it ended is not known`,
          hint: `ployzctl ops show ${operation}`,
          operationId: operation,
        },
    { cause },
  );
}
