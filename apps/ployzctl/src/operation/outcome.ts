import { errorBody } from "@ployz/errors";
import { EXIT, exitCodeOf } from "@ployz/primitives/client";
import type { OperationEnd } from "../documents.ts";
import type { Outcome } from "./follow.ts";

/** How one of several operations ended, for commands that run one for each machine. */
export function endOf(outcome: Outcome): OperationEnd {
  switch (outcome.kind) {
    case "error":
      return { state: "refused", errors: outcome.refusals ?? [outcome.error], warnings: [] };
    case "detached":
      return { state: "detached", operation: outcome.operation, errors: [], warnings: [] };
    case "plan":
      throw new Error("an operation that was applied ended with its plan");
    case "operation": {
      const { state, changed, ms, operation, error, owed, warnings } = outcome;
      return {
        ...{ state, changed, ms, ...(operation !== undefined && { operation }) },
        errors: error === undefined ? [] : [error],
        warnings: [...warnings, ...owed.map(({ step, error: why }) => `owed: ${step}: ${why.message}`)],
      };
    }
  }
}

/** For an error that no operation reported: nothing was changed, unless the connection to the daemon was lost. */
export function endOfThrown(error: unknown): OperationEnd {
  const body = errorBody(error);
  const code = exitCodeOf(body);
  const unsure = code === EXIT.unreachable || code === EXIT.unknown || body.code === "internal";
  return { state: unsure ? "failed" : "refused", errors: [body], warnings: [] };
}
