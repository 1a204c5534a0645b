/** Data that survives JSON: all that an error's details, a plan, a step's output or an event hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

type Details = { readonly [key: string]: Json };

/** An error on the wire and in front of the operator. Codes are stable and listed in docs/errors.md. */
export type ErrorBody<Code extends string = string> = {
  readonly code: Code;
  readonly message: string;
  /** The next step, as one sentence or one command. */
  readonly hint?: string;
  readonly machine?: string;
  readonly step?: string;
  readonly operationId?: string;
  readonly details?: Details;
};

const brand = Symbol.for("@ployz/errors/PloyzError");

/** An error that an operator reads. Bugs stay plain `Error`s. `instanceof` holds across copies and versions of this package. */
export class PloyzError extends Error {
  override readonly name = "PloyzError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly machine: string | undefined;
  readonly step: string | undefined;
  readonly operationId: string | undefined;
  readonly details: Details | undefined;

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

// What an instance of any copy carries on its prototype, and this copy's `instanceof` looks for. A class that extends it is known by its prototype.
const byPrototype = Function.prototype[Symbol.hasInstance];
Object.defineProperty(PloyzError.prototype, brand, { value: true });
Object.defineProperty(PloyzError, Symbol.hasInstance, {
  value(this: unknown, error: unknown) {
    return this === PloyzError
      ? typeof error === "object" && error !== null && brand in error
      : byPrototype.call(this, error);
  },
});

/** The wire form of anything thrown: a `PloyzError` with its fields, everything else as `internal`. */
export function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  if (!(error instanceof PloyzError)) return { code: "internal", message: error.message };
  const { code, message, hint, machine, step, operationId, details } = error;
  return {
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(machine !== undefined && { machine }),
    ...(step !== undefined && { step }),
    ...(operationId !== undefined && { operationId }),
    ...(details !== undefined && { details }),
  };
}
