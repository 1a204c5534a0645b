import { PloyzError } from "../error-codes.ts";
import { askGateway, askHold } from "../host/follower-client.ts";
import type { Handlers } from "./handlers.ts";

/** This machine's gateway, controlled through its follower. */
export function gatewayHandlers(gatewaySocket: string): Pick<Handlers, "gateway.hold" | "gateway.show"> {
  return {
    "gateway.show": (_args, { signal }) => askGateway(gatewaySocket, signal),
    // Without a gateway here, or without HAProxy behind it, there are no requests to hold.
    "gateway.hold": (args, { signal }) =>
      askHold(gatewaySocket, args, signal).catch((error: unknown) => {
        if (error instanceof PloyzError && error.code === "follower_unreachable") return { held: false };
        throw error;
      }),
  };
}
