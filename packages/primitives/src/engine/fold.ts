import type { ErrorBody } from "@ployz/errors";
import type { JournalEntry, Opening, Owed, PointSummary } from "../model/journal.ts";
import type { Json } from "../model/json.ts";
import type { OperationDetail, OperationState, OperationSummary } from "../model/operation.ts";
import type { Plan, PlannedStep } from "./types.ts";
import { planView } from "./view.ts";

export type StepRecord = {
  readonly state: "started" | "done" | "failed" | "undoing" | "undone" | "undo-failed";
  readonly out?: Json;
  readonly error?: ErrorBody;
  readonly startedAt: number;
  readonly ms?: number;
};

/** The state of an operation: a pure fold of its journal. */
export type OperationRecord = Opening & {
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly state: OperationState;
  readonly plan?: Plan;
  readonly steps: ReadonlyMap<string, StepRecord>;
  /** Set once the undo of the plan has begun. */
  readonly unwinding?: { readonly error: ErrorBody; readonly final: "failed" | "aborted" };
  readonly point?: PointSummary;
  readonly revision?: number;
  readonly error?: ErrorBody;
  readonly owed: readonly Owed[];
};

/** A record that takes entries in: its steps grow in place, since a copy of all for each entry would be the square of them. */
export type OpenRecord = OperationRecord & { readonly steps: Map<string, StepRecord> };

/** `undefined` for an empty journal. */
export function fold(entries: readonly JournalEntry[]): OpenRecord | undefined {
  return entries.reduce<OpenRecord | undefined>(next, undefined);
}

/** The record after one more entry. The one before shares its steps, and is used up. */
export function next(record: OpenRecord | undefined, entry: JournalEntry): OpenRecord {
  if (entry.type === "opened") {
    const { type: _, run: __, t, ...opening } = entry;
    return { ...opening, startedAt: t, state: "running", steps: new Map(), owed: [] };
  }
  if (record === undefined) throw new Error(`journal starts with ${entry.type}`);
  switch (entry.type) {
    case "planned": {
      const { unwinding: _, point: __, ...rest } = record;
      return { ...rest, plan: entry.plan, steps: new Map() };
    }
    case "resumed": {
      const { error: _, endedAt: __, ...rest } = record;
      return { ...rest, state: "running", coordinator: entry.coordinator, owed: [] };
    }
    case "interrupted":
      return { ...record, state: "interrupted", error: entry.error };
    case "committing":
      return { ...record, point: entry.point };
    case "committed":
      return { ...record, revision: entry.revision };
    case "unwinding":
      return { ...record, unwinding: { error: entry.error, final: entry.final } };
    case "ended": {
      const { error: _, ...rest } = record;
      const error = entry.error === undefined ? {} : { error: entry.error };
      return { ...rest, ...error, state: entry.state, owed: entry.owed, endedAt: entry.t };
    }
    default:
      record.steps.set(entry.step, stepAfter(record, entry));
      return record;
  }
}

function stepAfter(record: OperationRecord, entry: Extract<JournalEntry, { step: string }>): StepRecord {
  const before = record.steps.get(entry.step);
  const startedAt = before?.startedAt ?? ("from" in entry ? entry.from : undefined) ?? entry.t;
  const kept = before?.out === undefined ? {} : { out: before.out };
  switch (entry.type) {
    case "step-started":
      return { state: "started", startedAt: entry.t };
    case "step-done":
      return { state: "done", out: entry.out, startedAt, ms: entry.t - startedAt };
    case "step-failed":
      return { state: "failed", error: entry.error, startedAt, ms: entry.t - startedAt };
    case "undo-started":
      return { ...kept, state: "undoing", startedAt };
    case "undo-done":
      return { ...kept, state: "undone", startedAt };
    case "undo-failed":
      return { ...kept, state: "undo-failed", error: entry.error, startedAt };
  }
}

/** `failed`, `aborted` and `done` never change again. */
export function isFinal(state: OperationState): boolean {
  return state === "done" || state === "failed" || state === "aborted";
}

const iso = (ms: number) => new Date(ms).toISOString();

/** The line of the operation log that a record amounts to. */
export function summaryOf(record: OperationRecord): OperationSummary {
  const { operation, primitive, scope, state, coordinator, by } = record;
  // The scopes that name its subject; the others (a deploy's routes) only exclude concurrent operations.
  const about = [primitive, "deploy", "machine"];
  const own = scope.flatMap((one) => {
    const dot = one.indexOf(".");
    return about.includes(one.slice(0, dot)) ? [one.slice(dot + 1)] : [];
  });
  const of = own.length > 0 ? own : scope;
  return {
    ...{ operation, primitive, scope, state, coordinator, by },
    title: `${[primitive, ...of].join(" ")}${argumentsOf(record)}`,
    startedAt: iso(record.startedAt),
    ...(record.endedAt !== undefined && { endedAt: iso(record.endedAt) }),
    ...(record.revision !== undefined && { revision: record.revision }),
    ...(record.error !== undefined && { error: record.error }),
  };
}

/** Letters of a program's arguments in a title. */
const LONG = 60;

/** Of a program that was run in an instance. */
function argumentsOf({ primitive, input }: OperationRecord): string {
  const { argv, as = argv?.join(" ") } = (["exec", "run"].includes(primitive) ? input : {}) as {
    readonly argv?: readonly string[];
    readonly as?: string;
  };
  if (as === undefined) return "";
  const text = as.replaceAll(/\s+/g, " ").trim();
  return text.length > LONG ? `: ${text.slice(0, LONG)}…` : `: ${text}`;
}

/** What `ops show` prints. */
export function detailOf(record: OperationRecord): OperationDetail {
  const { plan } = record;
  const phases = [
    ...(plan?.prepare ?? []).map((step) => ({ step, phase: "prepare" as const })),
    ...(plan?.settle ?? []).map((step) => ({ step, phase: "settle" as const })),
  ];
  return {
    kind: "operation-detail",
    summary: summaryOf(record),
    ...(plan !== undefined && { plan: planView(record.primitive, plan) }),
    steps: phases.map(({ step, phase }) => ({
      ...stepStateOf(step, record.steps.get(step.id)),
      phase,
    })),
    owed: record.owed,
  };
}

/** A step as it is shown: where it is in the plan, and how far it is. */
export function stepStateOf(
  { id, title, machine }: Pick<PlannedStep, "id" | "title" | "machine">,
  ran: StepRecord | undefined,
) {
  const state =
    ran === undefined ? ("pending" as const) : ran.state === "undoing" ? ("started" as const) : ran.state;
  return {
    ...{ id, title, state },
    ...(machine !== undefined && { machine }),
    ...(ran?.ms !== undefined && { ms: ran.ms }),
    ...(ran?.error !== undefined && { error: ran.error }),
  };
}
