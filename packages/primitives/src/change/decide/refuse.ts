import type { Refusal } from "../../engine/types.ts";
import { routeKey } from "../../manifest/normalise.ts";
import { didYouMean } from "../../model/did-you-mean.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

/** What of the desired state cannot be, wherever anything would be placed. Pure. */
export const refuseDesired = (desired: Desired, facts: ChangeFacts): readonly Refusal[] => [
  ...unknownMachines(desired, facts),
  ...takenRoutes(desired, facts),
  ...takenPorts(desired, facts),
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

function takenRoutes({ services }: Desired, facts: ChangeFacts): readonly Refusal[] {
  const owners = new Map(
    facts.others.flatMap(({ commit: { namespace, routes } }) =>
      routes.map((route): [string, string] => [routeKey(route), `${namespace}/${route.service}`]),
    ),
  );
  return Object.entries(services).flatMap(([name, { spec }]) =>
    spec.routes.flatMap((route): Refusal[] => {
      const owner = owners.get(routeKey(route));
      if (owner === undefined) return [];
      const what = route.kind === "http" ? `${route.host}${route.path}` : `TCP port ${route.listen}`;
      return [
        {
          code: "route_taken",
          message: `services.${name}.routes: ${what} is routed to ${owner}`,
          hint: `remove the route there first, or choose another ${route.kind === "http" ? "host or path" : "port"}`,
          details: { owner },
        },
      ];
    }),
  );
}

/** Every machine's gateway listens on the port of a TCP route: one that somebody else has there would be refused by HAProxy after the commit. */
function takenPorts({ services }: Desired, facts: ChangeFacts): readonly Refusal[] {
  const heads = [...facts.others, ...(facts.head === undefined ? [] : [facts.head])];
  const served = new Set(
    heads.flatMap(({ commit }) =>
      commit.routes.flatMap((route) => (route.kind === "tcp" ? [route.listen] : [])),
    ),
  );
  return Object.entries(services).flatMap(([name, { spec }]) =>
    spec.routes.flatMap((route): Refusal[] => {
      if (route.kind !== "tcp" || served.has(route.listen)) return [];
      const there = facts.machines.filter(({ observation }) => observation?.tcpPorts?.includes(route.listen));
      if (there.length === 0) return [];
      const ids = there.map(({ record }) => record.id).join(", ");
      return [
        {
          code: "port_taken",
          message: `services.${name}.routes: another program listens on TCP port ${route.listen} of ${ids}`,
          hint: `choose another port, or stop what ss -ltnp 'sport = :${route.listen}' shows there`,
        },
      ];
    }),
  );
}
