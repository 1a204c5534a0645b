import { staysStopped } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import type { Refusal } from "../engine/types.ts";
import { specRevision } from "../manifest/revision.ts";
import type { CommittedService } from "../model/commit.ts";
import { serviceChange } from "./change.ts";
import { MaintenanceInput, ScaleInput, ServicesInput } from "./input.ts";

const byName = (services: Readonly<Record<string, CommittedService>>) => Object.entries(services);
const names = ({ services }: ServicesInput) => services;

/** Replaces the instances of services as a deploy does: successors become ready before the old ones go, or stop-first where the spec says so. */
export const restart = serviceChange({
  name: "restart",
  parse: inputParser(ServicesInput),
  names,
  wish: ({ namespace }, services) => ({
    restarts: byName(services).flatMap(([name, { stopped }]) => (stopped ? [] : [name])),
    renewSecrets: true,
    refusals: [],
    warnings: byName(services).flatMap(([name, { stopped }]) =>
      stopped ? [staysStopped(namespace, name)] : [],
    ),
  }),
});

/** Removes the instances of services, and keeps their specs, routes and volumes in the commit. */
export const stop = serviceChange({
  name: "stop",
  parse: inputParser(ServicesInput),
  names,
  wish: (_input, services) => ({
    services: Object.fromEntries(
      byName(services).map(([name, service]) => [name, { ...service, stopped: true as const }]),
    ),
    refusals: [],
    warnings: [],
  }),
});

/** Starts the instances of stopped services. */
export const start = serviceChange({
  name: "start",
  parse: inputParser(ServicesInput),
  names,
  wish: (_input, services) => ({
    services: Object.fromEntries(
      byName(services).map(([name, service]) => {
        const { stopped: _, ...started } = service;
        return [name, started];
      }),
    ),
    refusals: [],
    warnings: [],
  }),
});

const isRouted = ({ spec }: CommittedService): boolean =>
  spec.routes.some((route) => route.kind === "http" && route.redirect === undefined);

/** Gateways answer 503 with a page for the HTTP routes of services, or no longer; their instances run on. */
export const maintenance = serviceChange<MaintenanceInput>({
  name: "maintenance",
  parse: inputParser(MaintenanceInput),
  names: ({ services }, commit) =>
    services ??
    byName(commit.services).flatMap(([name, service]) =>
      isRouted(service) || service.maintenance ? [name] : [],
    ),
  wish: ({ namespace, on }, services) => ({
    services: Object.fromEntries(
      byName(services).map(([name, service]) => {
        const { maintenance: _, ...open } = service;
        return [name, on ? { ...open, maintenance: true as const } : open];
      }),
    ),
    refusals: byName(services).flatMap(([name, service]): Refusal[] =>
      !on || isRouted(service)
        ? []
        : [
            {
              code: "no_route",
              message: `${namespace}/${name} has no HTTP route that maintenance could answer for`,
              hint: `list them: ployzctl route ls`,
            },
          ],
    ),
    warnings: byName(services).length === 0 ? [`${namespace} has no HTTP routes`] : [],
  }),
});

/** Sets the number of instances of services, until the next deploy of a manifest with another number. */
export const scale = serviceChange<ScaleInput>({
  name: "scale",
  parse: inputParser(ScaleInput),
  names: ({ replicas }) => Object.keys(replicas),
  wish: ({ namespace, replicas }, services, { volumes }) => ({
    services: Object.fromEntries(
      byName(services).map(([name, service]): [string, CommittedService] => {
        const count = replicas[name] ?? 1;
        const spec = { ...service.spec, placement: { kind: "replicas" as const, count } };
        return [name, { ...service, revision: specRevision(spec), spec }];
      }),
    ),
    refusals: byName(services).flatMap(([name, { spec }]): Refusal[] => {
      if (spec.placement.kind !== "replicas")
        return [
          {
            code: "not_scalable",
            message: `${namespace}/${name} runs on every machine`,
            hint: 'deploy it with replicas instead of placement = "every-machine"',
          },
        ];
      const single = volumes.find((one) => one.name in spec.volumes && one.spec.scope === "single");
      if (single === undefined || (replicas[name] ?? 1) === 1) return [];
      return [
        {
          code: "not_scalable",
          message: `${namespace}/${name} uses the volume ${single.name}, which has a single writer`,
          hint: 'only a volume of scope = "shared" serves several instances',
        },
      ];
    }),
    warnings: byName(services).flatMap(([name, { stopped }]) =>
      stopped ? [staysStopped(namespace, name)] : [],
    ),
  }),
});
