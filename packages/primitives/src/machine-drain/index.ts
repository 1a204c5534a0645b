import Type, { type Static } from "typebox";
import { inputParser, label } from "../change/input.ts";
import { evacuationSteps, planEvacuations } from "../membership/evacuations.ts";
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
  refuse({ machine, migrate }, facts) {
    return migrate ? planEvacuations(machine, undefined, facts, "").flatMap(({ refusals }) => refusals) : [];
  },
  follows({ machine, migrate }, facts, operation) {
    const evacuations = migrate ? planEvacuations(machine, undefined, facts, operation) : [];
    return {
      settle: evacuationSteps(evacuations, [`follow@${machine}`]),
      summary: { namespaces: evacuations.flatMap(({ summary }) => summary ?? []) },
      warnings: [...new Set(evacuations.flatMap(({ warnings }) => warnings))],
    };
  },
});
