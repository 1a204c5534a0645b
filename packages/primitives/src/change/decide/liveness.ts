import type { Instance } from "../../model/commit.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import { type Host, hostsOf } from "./place.ts";

/** `gone`: its machine is no member any more, or lost. `unknown`: its machine does not answer. */
export type Liveness = (instance: Instance) => "alive" | "dead" | "gone" | "unknown";

export type Living = {
  readonly state: Liveness;
  host(machine: string): Host | undefined;
};

export function liveness(facts: ChangeFacts): Living {
  const machines = new Map(facts.machines.map((machine) => [machine.record.id, machine]));
  const hosts = new Map(hostsOf(facts.machines, new Map()).map((host) => [host.id, host]));
  return {
    state({ id, machine }) {
      const fact = machines.get(machine);
      if (fact === undefined || fact.lost) return "gone";
      if (fact.observation === undefined) return "unknown";
      const running = fact.observation.instances.some((seen) => seen.id === id && seen.state === "running");
      return running ? "alive" : "dead";
    },
    host: (machine) => hosts.get(machine),
  };
}
