import type { Json } from "../model/json.ts";
import type { OperationResult } from "../model/operation.ts";

/** An operation that a step of another runs: with a commit, a lease and a journal of its own. */
export type Nested = { readonly primitive: string; readonly input: Json };

/** How the outer operation follows a nested one. */
export interface NestedOptions {
  /** Undoes it, as long as it is not committed. */
  readonly signal: AbortSignal;
  /** Live only: what the nested operation does now. */
  progress(note: string, numbers?: { readonly done?: number; readonly total?: number }): void;
}

/** Filled by whoever runs operations. */
export interface Operations {
  /**
   * Resolves when it is committed. Fails with its first refusal or its error. Its result is a valid state by itself, and is not
   * undone with the operation that it was part of.
   */
  run(nested: Nested, options: NestedOptions): Promise<OperationResult>;
  /** Ends, back or forward, an interrupted run of it that has no coordinator. */
  clear(nested: Nested): Promise<void>;
}
