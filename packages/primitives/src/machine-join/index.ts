import type { Primitive } from "../engine/types.ts";
import { commitSeat, seatResult } from "../machine-add/peers.ts";
import type { Json } from "../model/json.ts";
import { type MachineJoinInput, parseMachineJoin, scopeOf } from "./input.ts";
import { type MachineJoinFacts, type MachineJoinPorts, observe } from "./observe.ts";
import { type MachineJoinKinds, plan } from "./plan.ts";
import { steps } from "./steps.ts";

/**
 * Makes a machine a member that came by itself with a token: it takes the invite and a seat, every member adds the peer, it
 * receives its seat, and handshakes with every reachable member. Who calls it has compared the token's secret; here only the
 * invite's id is known. The commit turns its record from `joining` to `active`.
 */
export const machineJoin: Primitive<
  MachineJoinPorts,
  MachineJoinInput,
  MachineJoinFacts,
  MachineJoinKinds,
  Json
> = {
  name: "machine-join",
  version: 1,
  parse: parseMachineJoin,
  scope: ({ self }) => [scopeOf(self)],
  observe,
  plan,
  steps,
  commit: (_input, _facts, _plan, context) => commitSeat(context.output("seat", "seat.take")),
  result: (_input, { summary }, context) => seatResult(summary, context.output("seat", "seat.take")),
};
