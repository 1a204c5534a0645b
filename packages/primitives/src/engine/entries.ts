import type { ErrorBody } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import type { OperationState } from "../model/operation.ts";
import type { Plan } from "./types.ts";

export type Owed = { readonly step: string; readonly error: ErrorBody };

/** The commit point as journaled: enough to recognise it in the store. */
export type PointSummary = {
  readonly kind: "namespace" | "fact";
  /** Namespace or fact key. */
  readonly key: string;
  readonly expected: number;
  /** Hash of the value; settles a fact that carries no operation id. */
  readonly hash: string;
};

/** The identity of an operation, fixed by its first entry. `coordinator`: the machine that runs it; `by`: the user. */
export type Opening = {
  readonly operation: string;
  readonly primitive: string;
  readonly version: number;
  readonly input: Json;
  readonly scope: readonly string[];
  readonly coordinator: string;
  readonly by: string;
};

export type EntryBody =
  | ({ readonly type: "opened" } & Opening)
  /** The first plan, or a new one after the last was undone. */
  | { readonly type: "planned"; readonly plan: Plan }
  /** Another runner continues it, or the same machine after a restart. */
  | { readonly type: "resumed"; readonly coordinator: string; readonly why: string }
  /** Its daemon restarted and no longer runs it; no runner has resumed it yet. */
  | { readonly type: "interrupted"; readonly error: ErrorBody }
  | { readonly type: "step-started"; readonly step: string }
  | { readonly type: "step-done"; readonly step: string; readonly out: Json }
  | { readonly type: "step-failed"; readonly step: string; readonly error: ErrorBody }
  | { readonly type: "committing"; readonly point: PointSummary }
  | { readonly type: "committed"; readonly revision: number }
  /** From here on the plan is undone, because of `error`. */
  | { readonly type: "unwinding"; readonly error: ErrorBody; readonly final: "failed" | "aborted" }
  | { readonly type: "undo-started"; readonly step: string }
  | { readonly type: "undo-done"; readonly step: string }
  | { readonly type: "undo-failed"; readonly step: string; readonly error: ErrorBody }
  | {
      readonly type: "ended";
      readonly state: Exclude<OperationState, "running" | "interrupted">;
      readonly error?: ErrorBody;
      readonly owed: readonly Owed[];
    };

export type JournalEntry = EntryBody & {
  /** Milliseconds since the epoch, by the writer's clock. */
  readonly t: number;
  /** Unique per run, so that no runner takes another's entry for its own retry. */
  readonly run: string;
};
