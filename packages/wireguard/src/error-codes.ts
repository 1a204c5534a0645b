import {
  defineErrors,
  type ErrorClass,
  PloyzError as OperatorError,
  type SharedErrorCode,
} from "@ployz/errors";

/** Every code that @ployz/wireguard adds to those it inherits, with its meaning; docs/errors.md is generated from it. */
export const ERRORS = defineErrors({
  network: {
    precondition: {
      wireguard_unavailable: "The machine cannot run WireGuard.",
      port_in_use: "Another program uses the UDP port of WireGuard.",
      interface_conflict: "An interface of the name exists and is not a live WireGuard interface.",
      interface_missing: "The WireGuard interface was never set up on the machine.",
      interface_name_invalid: "The name cannot be an interface's name.",
      interface_options_invalid: "The port, the MTU or an address of the interface is invalid.",
      interface_unreadable: "The state of the interface cannot be read.",
      key_exposed: "Other users can read the private key file.",
      key_invalid: "The key is not a WireGuard key.",
      peer_invalid: "A peer's key, endpoint or addresses are malformed.",
      peer_conflict: "Two peers have the same key, or overlapping addresses.",
      subnet_exhausted: "The cluster's address range has no subnet of this index.",
      rtt_timeout: "The machine did not answer a round-trip probe in time.",
      rtt_unreachable: "The network refuses packets to the machine.",
    },
    failed: {
      handshake_timeout: "Machines do not reach each other over WireGuard (UDP 51820).",
    },
  },
});

/** Every code that an error of this package may have. */
export type WireguardErrorCode = keyof typeof ERRORS | SharedErrorCode;

/** A code that is not registered does not compile. */
export const PloyzError: ErrorClass<WireguardErrorCode> = OperatorError;
export type PloyzError = OperatorError;
