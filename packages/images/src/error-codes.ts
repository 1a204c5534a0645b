import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/images adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  instances: {
    precondition: {
      image_invalid: "The reference, manifest or archive of an image is malformed or of an unsupported kind.",
      image_platform_missing: "The image has no variant for the machine's platform.",
      image_blob_corrupt: "The received content does not have the digest that the image's manifest names.",
      registry_denied: "The registry refuses access: credentials are missing, wrong or not sufficient.",
    },
    unreachable: {
      registry_unreachable: "The image's registry does not answer, or answers with an error of its own.",
      registry_rate_limited: "The registry limits how often images may be pulled.",
    },
  },
});

export type ImagesErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<ImagesErrorCode> = OperatorError;
export type PloyzError = OperatorError;
