import { PloyzError } from "../error-codes.ts";
import { askHold } from "../host/follower-socket.ts";
import type { Handlers } from "./handlers.ts";

/** This machine's gateway, through the follower that drives it. */
export function gatewayHandlers(gatewaySocket: string): Pick<Handlers, "gateway.hold"> {
  return {
    // Without a gateway here, or one that drives no HAProxy, no request comes by that could wait.
    "gateway.hold": (args, { signal }) =>
      askHold(gatewaySocket, args, signal).catch((error: unknown) => {
        if (error instanceof PloyzError && error.code === "follower_unreachable") return { held: false };
        throw error;
      }),
  };
}
