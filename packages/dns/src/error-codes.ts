import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/dns adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  gateway: {
    precondition: {
      dns_port_taken: "Another program listens on the DNS address and port.",
      dns_listen_failed: "The DNS server cannot listen on the address.",
      dns_options_invalid: "An option of the DNS server is malformed.",
    },
  },
});

/** Every code that an error of this package may have. */
export type DnsErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<DnsErrorCode> = OperatorError;
export type PloyzError = OperatorError;
