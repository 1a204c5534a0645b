import type { Desired, WantedVolume } from "../change/decide/desired.ts";
import { unscheduled } from "../change/input.ts";
import type { Refusal } from "../engine/types.ts";
import { specRevision } from "../manifest/revision.ts";
import type { Commit, CommittedService, RouteSpec, ServiceSpec } from "../model/commit.ts";
import { hostPortText } from "../model/host-ports.ts";
import { own } from "../model/own.ts";
import type { BranchInput } from "./input.ts";
import { branchedRoutes } from "./routes.ts";

type State = Pick<Desired, "services" | "jobs" | "volumes" | "jobsRun" | "pins"> & {
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
};

/** The wanted state of the branch, derived from the source. */
export function branchedState(input: BranchInput, from: Commit): State {
  const { target, machine, serviceMode = "branch", volumeMode = "fresh" } = input;
  const refusals = [
    ...unknown("services", input.services, Object.keys(from.services), input.source),
    ...unknown(
      "volumes",
      input.volumes,
      from.volumes.map(({ name }) => name),
      input.source,
    ),
  ];
  const taken = Object.entries(from.services).filter(
    // Without requests to share, a canary is nothing but a second copy.
    ([name, { canary }]) => canary === undefined && (own(input.services, name) ?? serviceMode) === "branch",
  );
  const there = new Set([...taken.map(([name]) => name), ...Object.keys(from.jobs)]);
  const warnings: string[] = [];
  const services = taken.map(([name, source]): [string, CommittedService] => {
    const { constraints, hostPorts = [], ...spec } = source.spec;
    const { routes, left } = branchedRoutes(target, spec.routes, input.routes ?? {});
    if (left.length > 0)
      warnings.push(
        `${name}: not routed to the branch: ${left.join(", ")} (give it a name: --route old=new)`,
      );
    if (hostPorts.length > 0)
      warnings.push(
        `${name}: its host ports stay with ${from.namespace}: ${hostPorts.map(hostPortText).join(", ")}`,
      );
    const next: ServiceSpec = {
      ...spec,
      // A requested machine overrides the source's constraints.
      ...(machine === undefined && constraints && { constraints }),
      after: spec.after.filter((name) => there.has(name)),
      routes: input.users === undefined ? routes : routes.map(lettingIn(input.users)),
    };
    return [name, { revision: specRevision(next), spec: next }];
  });
  const used = new Set(services.flatMap(([, { spec }]) => Object.keys(spec.volumes)));
  const volumes = from.volumes
    .filter(({ name }) => used.has(name) || own(input.volumes, name) === "branch")
    .map(({ name, spec: scheduled, id, machine: at }): [string, WantedVolume] => {
      const spec = unscheduled(scheduled);
      if ((own(input.volumes, name) ?? volumeMode) === "fresh")
        return [name, { spec, source: { kind: "keep" } }];
      const source = { namespace: from.namespace, volume: name, id, machine: at };
      return [name, { spec, source: { kind: "copy", from: source, machine: machine ?? at } }];
    });
  const jobs = Object.entries(from.jobs).flatMap(([name, { spec }]) => {
    // A schedule belongs to the environment that it was written for.
    if (spec.schedule !== undefined) return [];
    const next = { ...spec, after: spec.after.filter((one) => there.has(one)) };
    return [[name, { revision: specRevision(next), spec: next }] as const];
  });
  return {
    services: Object.fromEntries(services),
    jobs: Object.fromEntries(jobs),
    volumes: Object.fromEntries(volumes),
    // Data that is cloned has been migrated and seeded; a fresh volume has not.
    jobsRun: volumes.some(([, { source }]) => source.kind === "keep"),
    pins: machine === undefined ? {} : Object.fromEntries(taken.map(([name]) => [name, machine])),
    refusals,
    warnings,
  };
}

/** Redirects lead to routes that ask themselves; routes of ports cannot. */
const lettingIn =
  (secret: string) =>
  (route: RouteSpec): RouteSpec =>
    route.kind !== "http" || route.redirect
      ? route
      : { ...route, options: { ...route.options, basicAuth: { secret } } };

function unknown(
  field: string,
  named: Readonly<Record<string, string>> | undefined,
  known: readonly string[],
  source: string,
): readonly Refusal[] {
  return Object.keys(named ?? {})
    .filter((name) => !known.includes(name))
    .map((name) => ({
      code: "invalid_input",
      message: `${field}.${name}: ${source} has none of that name`,
      hint: known.length > 0 ? `it has ${known.join(", ")}` : `it has no ${field}`,
    }));
}
