import type { ErrorBody } from "@ployz/errors";
import { type ErrorEntry, EXIT_OF, SHARED_ERRORS } from "@ployz/errors";
import { ERRORS } from "../error-codes.ts";
import type { OperationResult, PlanView } from "../model/operation.ts";

/** Exit codes of `ployzctl`. */
export const EXIT = { done: 0, cleanupOwed: 5, ...EXIT_OF } as const;

/** Only here and in the shared registry have codes another exit code than 1 or 3. */
const REGISTERED: Readonly<Record<string, ErrorEntry>> = { ...SHARED_ERRORS, ...ERRORS };

type Refused = { readonly kind: "refused"; readonly refusals: readonly ErrorBody[] };

/** Of an error: 3 unless its code is registered with another one, since an error outside an operation has changed nothing. */
export function exitCodeOf(outcome: string | ErrorBody | Refused | OperationResult | PlanView): number {
  if (typeof outcome === "string")
    return Object.hasOwn(REGISTERED, outcome)
      ? (REGISTERED[outcome]?.exit ?? EXIT.precondition)
      : EXIT.precondition;
  if ("code" in outcome) return exitCodeOf(outcome.code);
  switch (outcome.kind) {
    case "plan":
      return EXIT.done;
    case "refused":
      return ofRefusals(outcome.refusals.map(exitCodeOf));
    case "operation":
      return ofResult(outcome);
  }
}

/** A mistake in the input outweighs what could not be reached, and that outweighs a precondition. */
function ofRefusals(codes: readonly number[]): number {
  const order = [EXIT.aborted, EXIT.usage, EXIT.unreachable, EXIT.failed];
  return order.find((code) => codes.includes(code)) ?? EXIT.precondition;
}

function ofResult({ state, revision, error }: OperationResult): number {
  switch (state) {
    case "done":
      return EXIT.done;
    case "aborted":
      return EXIT.aborted;
    case "cleanup-owed":
      // Owed by an undo: nothing was committed, the operation failed.
      return revision === undefined ? EXIT.failed : EXIT.cleanupOwed;
    case "interrupted":
      // The runner that takes it over may still commit it.
      return EXIT.unknown;
    default:
      return error !== undefined && exitCodeOf(error) === EXIT.unreachable ? EXIT.unreachable : EXIT.failed;
  }
}
