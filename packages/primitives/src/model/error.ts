import type { Json } from "./json.ts";

/** What an error says on the wire and to the operator. Codes are stable and listed in docs/errors.md. */
export type ErrorBody = {
  readonly code: string;
  readonly message: string;
  /** What to do next, as one sentence or one command. */
  readonly hint?: string;
  readonly machine?: string;
  readonly step?: string;
  readonly operationId?: string;
  readonly details?: Json;
};

/** An error that an operator reads. Bugs stay plain `Error`s. */
export class PloyzError extends Error {
  override readonly name = "PloyzError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly machine: string | undefined;
  readonly step: string | undefined;
  readonly operationId: string | undefined;
  readonly details: Json | undefined;

  constructor(body: ErrorBody, options?: { readonly cause?: unknown }) {
    super(body.message, options);
    this.code = body.code;
    this.hint = body.hint;
    this.machine = body.machine;
    this.step = body.step;
    this.operationId = body.operationId;
    this.details = body.details;
  }
}

/**
 * The wire form of anything thrown. Driver packages have error classes of their own; a string `code` that
 * does not look like a system code (`ENOENT`) is what they share.
 */
export function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  const { code, hint, machine, step, operationId, details } = error as Error & Partial<ErrorBody>;
  return {
    code: typeof code === "string" && /^[a-z][a-z0-9_]*$/.test(code) ? code : "internal",
    message: error.message,
    ...(typeof hint === "string" && { hint }),
    ...(typeof machine === "string" && { machine }),
    ...(typeof step === "string" && { step }),
    ...(typeof operationId === "string" && { operationId }),
    ...(details !== undefined && { details }),
  };
}
