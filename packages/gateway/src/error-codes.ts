import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/gateway adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  gateway: {
    precondition: {
      haproxy_missing: "HAProxy is not installed.",
      haproxy_down: "HAProxy does not start.",
      haproxy_unreachable: "HAProxy does not answer on its control socket.",
      gateway_command_refused: "HAProxy refused a command on its control socket.",
      gateway_config_invalid: "HAProxy rejects the configuration; the message quotes it.",
      gateway_reload_failed: "HAProxy could not switch to the new configuration and keeps the previous one.",
      listen_failed: "The gateway cannot listen on the address.",
      route_clash: "Two routes claim the same host and path, or the same port.",
      route_invalid: "A route is malformed.",
      backend_conflict: "Two routes describe the same backend differently.",
    },
  },
});

/** Every code that an error of this package may have. */
export type GatewayErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<GatewayErrorCode> = OperatorError;
export type PloyzError = OperatorError;
