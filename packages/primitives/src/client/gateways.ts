import Type, { type Static } from "typebox";
import { GatewayView } from "../model/gateway.ts";
import { error, list, object, text } from "../model/schema.ts";

/** What each machine's gateway serves now. */
export const GatewayList = object({
  kind: Type.Literal("gateways"),
  gateways: list(
    object({ machine: text(), gateway: Type.Optional(GatewayView), error: Type.Optional(error()) }),
  ),
});
/** Static type of the schema of this name. */
export type GatewayList = Static<typeof GatewayList>;
