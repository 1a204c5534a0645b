import Type from "typebox";
import { inputParser } from "../change/input.ts";
import { Self } from "../machine-add/seat.ts";
import { place, runtime } from "../model/fields.ts";
import { INVITE_ID } from "../model/invite.ts";
import { VERSION } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

/** The new machine's description of itself. Only public halves of keys; where the connection came from is among the endpoints. */
const JoiningMachine = Type.Object({
  ...Self.properties,
  hostname: Type.String({ maxLength: 253 }),
  runtime,
  version: Type.String({ pattern: VERSION }),
  region: Type.Optional(place("A region.")),
  az: Type.Optional(place("A zone.")),
  routes: Type.Array(Type.String({ maxLength: 100 }), {
    maxItems: 1000,
    description: "Its own networks, to refuse an overlap with the cluster's range.",
  }),
});
/** A machine that comes with a token, by its own words. */
export type JoiningMachine = Shape<typeof JoiningMachine>;

export const Input = Type.Object({
  invite: Type.String({ pattern: INVITE_ID.source, description: "the id of an invite" }),
  self: JoiningMachine,
});
/** Input of `machine-join`: the machine, and the invite that admits it. */
export type MachineJoinInput = Shape<typeof Input>;

/** It comes from a machine that is no member yet, and its contents end up in the configuration of every member. */
export const parseMachineJoin = inputParser(Input);

/** One lease for each machine that wants in, whatever invite it holds: its key, in letters that a lease's name may have. */
export const scopeOf = ({ publicKey }: JoiningMachine): string =>
  `machine-join.${publicKey.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
