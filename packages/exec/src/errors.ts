import { type ExecErrorCode, PloyzError } from "./error-codes.ts";

/** A program that failed: its call, with secrets left out, and how it ended. */
export interface ExecFailure {
  readonly code: ExecErrorCode;
  readonly program: string;
  /** Redacted. */
  readonly args: readonly string[];
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stderr: string;
  readonly message: string;
  readonly hint?: string;
}

/** A failed program call, with its argv, exit code and stderr. */
export class ExecError extends PloyzError {
  readonly program: string;
  readonly args: readonly string[];
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;

  constructor(failure: ExecFailure, options?: { readonly cause?: unknown }) {
    super(
      {
        code: failure.code,
        message: failure.message,
        ...(failure.hint !== undefined && { hint: failure.hint }),
        details: {
          program: failure.program,
          args: failure.args,
          exitCode: failure.exitCode ?? null,
          stderr: failure.stderr.slice(-2000),
        },
      },
      options,
    );
    this.program = failure.program;
    this.args = failure.args;
    this.exitCode = failure.exitCode;
    this.signal = failure.signal;
    this.stderr = failure.stderr;
  }
}
