import { setTimeout as delay } from "node:timers/promises";
import { signalProcess } from "@ployz/exec";
import type { Cluster } from "./cluster.ts";
import { answers, atEvent } from "./kill.ts";
import type { Started } from "./started.ts";
import type { Attack, Where } from "./state-loop.ts";

type Role = keyof Where;

/** `kill -9` at the `k`th journaled event. Its supervisor starts it again. */
export function kill(role: Role, k: number, afterMs = 0): Attack {
  return {
    label: `the daemon of the ${role} killed ${afterMs} ms after event ${k}`,
    async harm(running, _, daemons) {
      await atEvent(running, k);
      if (afterMs > 0) await delay(afterMs);
      await signalProcess(daemons[role], "SIGKILL");
    },
  };
}

/** The coordinator's daemon is stopped until another machine has finished its work, and must change nothing when it continues. */
export function freeze(k: number): Attack {
  let thaw = async () => {};
  return {
    label: `the coordinator frozen at event ${k}`,
    meanwhile: true,
    async harm(running, _, { coordinator }) {
      await atEvent(running, k);
      await signalProcess(coordinator, "SIGSTOP");
      thaw = async () => void (await signalProcess(coordinator, "SIGCONT"));
    },
    repair: () => thaw(),
  };
}

/** The phases of a migration, each at its first moment. */
export const PHASES = {
  "while it copies": (running: Started) => step(running, "precopy ", "started"),
  "when the volume is closed": (running: Started) => step(running, "seal ", "done"),
  "when all is copied": (running: Started) => step(running, "final ", "done"),
  "after the commit": (running: Started) => running.event(({ type }) => type === "committed"),
} as const;
export type Phase = keyof typeof PHASES;

const step = (running: Started, prefix: string, wanted: string) =>
  running.event(
    ({ type, step, state }) => type === "step" && state === wanted && step?.startsWith(prefix) === true,
  );

export function cut(cluster: Cluster, role: Exclude<Role, "coordinator">, phase: Phase): Attack {
  return {
    label: `the ${role} without power ${phase}`,
    async harm(running, where) {
      await PHASES[phase](running);
      await cluster.lab.cut(where[role]);
    },
    async repair(where) {
      await cluster.lab.on(where[role]);
      await answers(cluster, where[role]);
    },
  };
}

/** Source and target cannot reach each other; the coordinator reaches both. */
export function partition(cluster: Cluster, phase: Phase): Attack {
  return {
    label: `source and target cut off from each other ${phase}`,
    async harm(running, { source, target }) {
      await PHASES[phase](running);
      await cluster.lab.partition(source, target);
    },
    repair: () => cluster.lab.heal(),
  };
}
