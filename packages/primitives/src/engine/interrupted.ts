import { type ErrorBody, errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";

/** This runner must stop at once and touch nothing: another runner has the operation, or may have it. */
export class Interrupted extends PloyzError {}

export function takenOver(operation: string): Interrupted {
  return new Interrupted({
    code: "operation_taken_over",
    message: `operation ${operation} was taken over by another daemon`,
    hint: `ployzctl ops show ${operation}`,
    operationId: operation,
  });
}

export function leaseLost(operation: string, scope: string): Interrupted {
  return new Interrupted({
    code: "lease_lost",
    message: `operation ${operation} lost its lease on ${scope}; it stopped where it was`,
    hint: "run the same command again: it resumes the operation or undoes it",
    operationId: operation,
  });
}

/** Retried inside the step's deadline. `call_interrupted`: the machine's daemon restarted during the call. */
const TRANSIENT = new Set([
  "machine_unreachable",
  "call_interrupted",
  "store_unavailable",
  "deadline_exceeded",
]);

export function isTransient(error: unknown): boolean {
  return TRANSIENT.has(errorBody(error).code);
}

export function isUnavailable(error: unknown): boolean {
  return errorBody(error).code === "store_unavailable";
}

/** An error as an operation reports it: with the step, the machine and the operation. */
export function located(
  error: unknown,
  at: { readonly operation: string; readonly step?: string; readonly machine?: string },
): ErrorBody {
  const body = errorBody(error);
  const { code, message, hint, details } = body;
  const machine = body.machine ?? at.machine;
  return {
    ...{ code, message },
    ...(hint !== undefined && { hint }),
    ...(machine !== undefined && { machine }),
    ...(at.step !== undefined && { step: at.step }),
    operationId: at.operation,
    ...(details !== undefined && { details }),
  };
}
