import type { OperationEvent } from "@ployz/primitives/client";

export type ErrorBody = Extract<OperationEvent, { type: "refused" }>["refusals"][number];

/** An error that the operator reads; exit code by `exitCodeOf`. Anything else that is thrown and has no code is a bug. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: ErrorBody["details"];

  constructor(body: ErrorBody, options?: { readonly cause?: unknown }) {
    super(body.message, options);
    this.code = body.code;
    this.hint = body.hint;
    this.details = body.details;
  }
}

export const usage = (message: string, hint?: string): CliError =>
  new CliError({ code: "usage", message, ...(hint !== undefined && { hint }) });

/** The wire form of anything thrown. Errors of other packages are known by a `code` that does not look like the system's (`ENOENT`). */
export function bodyOf(error: unknown): ErrorBody {
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
