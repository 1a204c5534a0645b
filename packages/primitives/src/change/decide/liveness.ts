import type { Instance } from "../../model/commit.ts";
import type { ChangeFacts } from "../observe/facts.ts";

/** `gone`: its machine is no member any more, or lost. `unknown`: its machine does not answer. */
export type Liveness = (instance: Instance) => "alive" | "dead" | "gone" | "unknown";

export function liveness(facts: ChangeFacts): Liveness {
  const machines = new Map(facts.machines.map((machine) => [machine.record.id, machine]));
  return ({ id, machine }) => {
    const fact = machines.get(machine);
    if (fact === undefined || fact.lost) return "gone";
    if (fact.observation === undefined) return "unknown";
    const running = fact.observation.instances.some((seen) => seen.id === id && seen.state === "running");
    return running ? "alive" : "dead";
  };
}
