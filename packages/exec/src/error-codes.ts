import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/exec adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  machine: {
    precondition: {
      s6_missing: "The machine has neither systemd nor s6 to supervise services.",
      exec_failed: "A program failed; `details.stderr` has its last output.",
      exec_not_found: "A program is not installed or not executable.",
      exec_timeout: "A program did not finish in time and was ended.",
      exec_aborted: "A program was ended because the call was aborted.",
    },
  },
});

/** Every code that an error of this package may have. */
export type ExecErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<ExecErrorCode> = OperatorError;
export type PloyzError = OperatorError;
