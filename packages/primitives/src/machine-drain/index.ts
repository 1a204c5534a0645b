import { inputParser } from "../change/input.ts";
import { planEvacuations } from "../membership/evacuations.ts";
import { lifecyclePrimitive } from "../membership/lifecycle.ts";
import { Input, type MachineDrainInput } from "./input.ts";

/**
 * The machine takes nothing new. With `migrate`, its workloads and volumes move to other machines, one namespace after the other; each is a change
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
