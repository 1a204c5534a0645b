import { errorBody } from "@ployz/errors";
import type { GatewayList } from "@ployz/primitives/client";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import type { ApiRoutes } from "./router.ts";

const LOOK_MS = 6_000;

export const gatewayRoutes = (daemon: Daemon): Pick<ApiRoutes["json"], "GET /v1/gateways"> => ({
  "GET /v1/gateways": ({ query, signal }) => gatewayList(daemon.member(), query.machine, signal),
});

/** A machine that does not answer is listed with the reason. */
async function gatewayList(
  member: Member,
  only: string | undefined,
  signal: AbortSignal,
): Promise<GatewayList> {
  const ids = member
    .membership()
    .machines.map(({ id }) => id)
    .sort();
  if (only !== undefined && !ids.includes(only))
    throw new PloyzError({
      code: "no_such_machine",
      message: `there is no machine ${JSON.stringify(only.slice(0, 63))}`,
      hint: `the machines are ${ids.join(", ")}`,
    });
  const gateways = ids
    .filter((id) => only === undefined || id === only)
    .map(async (machine) => {
      try {
        const options = { timeoutMs: LOOK_MS, signal };
        return { machine, gateway: await member.machines.call(machine, "gateway.show", {}, options) };
      } catch (error) {
        return { machine, error: errorBody(error) };
      }
    });
  return { kind: "gateways", gateways: await Promise.all(gateways) };
}
