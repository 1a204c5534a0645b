import type { Primitive } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { type MachineAddInput, parseMachineAdd, scopeOf } from "./input.ts";
import { type MachineAddFacts, type MachineAddPorts, observe } from "./observe.ts";
import { commitSeat, seatResult } from "./peers.ts";
import { type MachineAddKinds, plan } from "./plan.ts";
import { steps } from "./steps.ts";

/**
 * Makes a machine a member, over SSH: installs missing packages, takes a seat (a name and a subnet), adds the peer on every
 * member, joins, and handshakes with every reachable member. The commit turns its record from `joining` to `active`.
 */
export const machineAdd: Primitive<MachineAddPorts, MachineAddInput, MachineAddFacts, MachineAddKinds, Json> =
  {
    name: "machine-add",
    version: 1,
    parse: parseMachineAdd,
    scope: ({ target }) => [scopeOf(target)],
    observe,
    plan,
    steps,
    commit: (_input, _facts, _plan, context) => commitSeat(context.output("seat", "seat.reserve")),
    result: (_input, { summary }, context) => seatResult(summary, context.output("seat", "seat.reserve")),
  };
