import type { Plan, PlannedStep, Refusals } from "../engine/types.ts";
import type { MachineUpdateInput } from "./input.ts";
import type { MachineUpdateFacts } from "./observe.ts";
import { refuse } from "./refuse.ts";

export type MachineUpdateKinds = {
  /** Fetched from the source's transfer port, verified, and unpacked beside the build that runs. */
  "payload.ensure": {
    args: { machine: string; build: string; source: string };
    out: { transferredBytes: number };
  };
  /** The current build and the daemon. Undone by switching back, seen to run. */
  "update.switch": { args: { machine: string; from: string; to: string }; out: null };
  "update.await": { args: { machine: string; build: string }; out: { version: string } };
};

export function plan(
  input: MachineUpdateInput,
  facts: MachineUpdateFacts,
): Plan<MachineUpdateKinds> | Refusals {
  const { machine } = input;
  const { member, source, found } = facts;
  const refusals = refuse(input, facts);
  if (member === undefined || "error" in found || refusals.length > 0) return { refusals };
  const runs = found.build === source.build;
  const steps: readonly PlannedStep<MachineUpdateKinds>[] = [
    {
      id: "payload",
      kind: "payload.ensure",
      args: { machine, build: source.build, source: source.machine },
      machine,
      title: `send Ployz ${source.version} (${short(source.build)}) from ${source.machine} to ${machine}`,
      needs: [],
    },
    {
      id: "switch",
      kind: "update.switch",
      args: { machine, from: found.build, to: source.build },
      machine,
      title: `restart the daemon of ${machine} with it`,
      needs: ["payload"],
    },
    {
      id: "verify",
      kind: "update.await",
      args: { machine, build: source.build },
      machine,
      title: `${machine} runs it, with everything adopted`,
      needs: ["switch"],
    },
  ];
  return {
    basis: [{ key: `fact.machine.${machine}`, revision: member.revision }],
    prepare: runs ? [] : steps,
    settle: [],
    // One that was updated by hand is only recorded.
    changes: !runs || member.record.version !== source.version,
    warnings: [],
    summary: {
      machine,
      from: { version: found.version, build: found.build },
      to: { version: source.version, build: source.build },
      already: runs,
    },
  };
}

const short = (build: string): string => build.slice(0, 12);
