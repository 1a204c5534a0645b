import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/images adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  machine: {
    precondition: {
      unpacker_unusable: "The machine's tar cannot be run on an image's files; the message says why.",
    },
  },
  instances: {
    precondition: {
      layer_needed: "An unpacked layer cannot be removed: another layer or an instance's root needs it.",
    },
  },
});

/** Every code that an error of this package may have. */
export type ImagesErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<ImagesErrorCode> = OperatorError;
export type PloyzError = OperatorError;
