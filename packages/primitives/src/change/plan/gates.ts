import type { PlannedStep } from "../../engine/types.ts";
import type { ChangeKinds } from "../steps/kinds.ts";

type Step = PlannedStep<ChangeKinds>;

/** Lists up to this length are written out. */
const FEW = 3;

/** One gate step replaces many needs: else a plan over 200 machines would name every machine in every step. */
export function createGates(prefix: string) {
  const gates = new Map<string, Step>();
  return {
    /** What to write into `needs` for these. */
    all(ids: readonly string[]): readonly string[] {
      const needs = [...new Set(ids)].sort();
      if (needs.length <= FEW) return needs;
      const key = needs.join("\n");
      const id = gates.get(key)?.id ?? `${prefix} ${gates.size + 1}`;
      gates.set(key, {
        id,
        kind: "gate",
        args: { gate: id },
        title: `${needs.length} steps are done`,
        needs,
      });
      return [id];
    },
    steps: (): readonly Step[] => [...gates.values()],
  };
}
