import type { Refusal } from "../../engine/types.ts";
import { didYouMean } from "../../model/did-you-mean.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";
import { refuseFeatures } from "./features.ts";
import { refusePortsOfRoutes } from "./host-ports.ts";
import { refuseRoutes } from "./routes.ts";

/** Reasons against the desired state that do not depend on placement. Pure. */
export const refuseDesired = (desired: Desired, facts: ChangeFacts): readonly Refusal[] => [
  ...unknownMachines(desired, facts),
  ...refuseRoutes(desired, facts),
  ...refusePortsOfRoutes(desired, facts),
  ...refuseFeatures(desired, facts),
];

export const noMachines: Refusal = {
  code: "no_machines",
  message: "the cluster has no active machine",
  hint: "ployzctl machine ls shows why",
};

const UNKNOWN_MACHINE = "machine_unknown";

export const isUnknownMachine = ({ code }: Refusal): boolean => code === UNKNOWN_MACHINE;

/** Why there is no active machine of this name; `undefined` when there is one. */
export function unknownMachine(field: string, machine: string, facts: ChangeFacts): Refusal | undefined {
  const known = facts.machines.map(({ record }) => record.id);
  if (known.includes(machine)) return undefined;
  const near = didYouMean(machine, known);
  return {
    code: UNKNOWN_MACHINE,
    message: `${field}: no active machine is called ${machine}`,
    hint: near === undefined ? `active machines: ${known.join(", ")}` : `did you mean ${near}?`,
  };
}

function unknownMachines({ services, jobs }: Desired, facts: ChangeFacts): readonly Refusal[] {
  const workloads = [
    ...Object.entries(services).map(([name, { spec }]) => ({ field: `services.${name}`, spec })),
    ...Object.entries(jobs).map(([name, { spec }]) => ({ field: `jobs.${name}`, spec })),
  ];
  return workloads.flatMap(({ field, spec }) =>
    (spec.constraints?.machines ?? []).flatMap(
      (machine) => unknownMachine(`${field}.constraints.machines`, machine, facts) ?? [],
    ),
  );
}
