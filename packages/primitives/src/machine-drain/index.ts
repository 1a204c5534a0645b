import Type, { type Static } from "typebox";
import { inputParser, label } from "../change/input.ts";
import { planEvacuations } from "../membership/evacuations.ts";
import { lifecyclePrimitive } from "../membership/lifecycle.ts";

const Input = Type.Object({
  machine: label("The machine."),
  migrate: Type.Optional(Type.Boolean({ description: "Moves what is there to other machines." })),
});
export type MachineDrainInput = Static<typeof Input>;

/**
 * The machine takes nothing new. With `migrate`, what is there moves to other machines, one namespace after the other; each is a change
 * of its own, and what has moved stays moved whatever becomes of the others.
 */
export const machineDrain = lifecyclePrimitive<MachineDrainInput>({
  name: "machine-drain",
  parse: inputParser(Input),
  to: "draining",
  follows({ machine, migrate }, facts, operation) {
    if (!migrate) return { settle: [], summary: { namespaces: [] }, warnings: [] };
    const moves = planEvacuations({ machine, after: [`follow@${machine}`] }, facts, operation);
    if ("refusals" in moves) return moves;
    const { steps, namespaces, warnings } = moves;
    return { settle: steps, summary: { namespaces }, warnings };
  },
});
