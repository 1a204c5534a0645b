import type { Refusal } from "../engine/types.ts";
import { didYouMean } from "../manifest/field.ts";
import { normalise, routeKey } from "../manifest/normalise.ts";
import { decide } from "./decide.ts";
import type { DeployInput } from "./input.ts";
import type { DeployFacts } from "./observe.ts";

/** Every reason not to start, all at once. Pure. */
export function refuse(input: DeployInput, facts: DeployFacts): readonly Refusal[] {
  if (facts.machines.length === 0) {
    return [
      {
        code: "no_machines",
        message: "the cluster has no active machine",
        hint: "ployzctl machine ls shows why",
      },
    ];
  }
  return [
    ...unknownMachines(input, facts),
    ...takenRoutes(input, facts),
    ...takenPorts(input, facts),
    ...volumes(input),
    ...decide(input, facts).refusals,
  ];
}

function unknownMachines(input: DeployInput, facts: DeployFacts): readonly Refusal[] {
  const { services, jobs } = normalise(input.manifest);
  const known = facts.machines.map(({ record }) => record.id);
  const workloads = [
    ...Object.entries(services).map(([name, spec]) => ({ field: `services.${name}`, spec })),
    ...Object.entries(jobs).map(([name, spec]) => ({ field: `jobs.${name}`, spec })),
  ];
  return workloads.flatMap(({ field, spec }) =>
    (spec.constraints?.machines ?? [])
      .filter((machine) => !known.includes(machine))
      .map((machine): Refusal => {
        const near = didYouMean(machine, known);
        return {
          code: "machine_unknown",
          message: `${field}.constraints.machines: no active machine is called ${machine}`,
          hint: near === undefined ? `active machines: ${known.join(", ")}` : `did you mean ${near}?`,
        };
      }),
  );
}

function takenRoutes(input: DeployInput, facts: DeployFacts): readonly Refusal[] {
  const owners = new Map(
    facts.others.flatMap(({ namespace, routes }) =>
      routes.map((route): [string, string] => [routeKey(route), `${namespace}/${route.service}`]),
    ),
  );
  return Object.entries(normalise(input.manifest).services).flatMap(([name, { routes }]) =>
    routes.flatMap((route): Refusal[] => {
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
function takenPorts(input: DeployInput, facts: DeployFacts): readonly Refusal[] {
  const commits = [...facts.others, ...(facts.head === undefined ? [] : [facts.head.commit])];
  const served = new Set(
    commits.flatMap(({ routes }) => routes.flatMap((route) => (route.kind === "tcp" ? [route.listen] : []))),
  );
  return Object.entries(normalise(input.manifest).services).flatMap(([name, { routes }]) =>
    routes.flatMap((route): Refusal[] => {
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

function volumes(input: DeployInput): readonly Refusal[] {
  const [name] = normalise(input.manifest).volumes;
  if (name === undefined) return [];
  return [
    {
      code: "volumes_unsupported",
      message: `volumes.${name}: this version of Ployz checks volumes in a manifest but cannot deploy them yet`,
      hint: "remove the volumes, or keep that service outside Ployz until a version that has them",
    },
  ];
}
