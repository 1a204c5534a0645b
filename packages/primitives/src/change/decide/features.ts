import type { Refusal } from "../../engine/types.ts";
import { containerFeatures, featuresOf, serviceFeatures } from "../../model/features.ts";
import { own } from "../../model/own.ts";
import { routeKey } from "../../model/route-place.ts";
import type { ChangeFacts, MachineFact } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

/** Features that the commit adds, and that a machine of an earlier version would ignore. Committed ones stay. */
export function refuseFeatures(
  { services, jobs }: Pick<Desired, "services" | "jobs">,
  { head, machines }: Pick<ChangeFacts, "head" | "machines">,
): readonly Refusal[] {
  const had = new Set(
    head?.commit.routes.flatMap((route) => featuresOf(route).map((name) => `${routeKey(route)} ${name}`)),
  );
  const ofJobs = Object.entries(jobs).flatMap(([job, { spec }]) => {
    const before = own(head?.commit.jobs, job)?.spec;
    const had = before === undefined ? [] : containerFeatures(before);
    const added = containerFeatures(spec).filter((name) => !had.includes(name));
    return refuseAdded(`jobs.${job}`, added, machines);
  });
  const ofServices = Object.entries(services).flatMap(([service, one]): readonly Refusal[] => {
    const before = own(head?.commit.services, service);
    const added = [
      ...one.spec.routes.flatMap((route) =>
        featuresOf(route).filter((name) => !had.has(`${routeKey(route)} ${name}`)),
      ),
      ...serviceFeatures(one).filter(
        (name) => before === undefined || !serviceFeatures(before).includes(name),
      ),
    ];
    return refuseAdded(`services.${service}`, added, machines);
  });
  return [...ofServices, ...ofJobs];
}

export function refuseAdded(
  field: string,
  added: readonly string[],
  machines: readonly MachineFact[],
): readonly Refusal[] {
  const ignored = [...new Set(added)]
    .map((name) => ({ name, ids: without(name, machines) }))
    .filter(({ ids }) => ids.length > 0);
  if (ignored.length === 0) return [];
  const ids = [...new Set(ignored.flatMap((one) => one.ids))].sort();
  const names = ignored.map(({ name }) => name).join(", ");
  return [
    {
      code: "machine_outdated",
      message: `${field}: ${ids.join(", ")} would ignore ${names}: the version of Ployz there is too old`,
      hint: `update them first: ployzctl machine update ${ids.join(" ")}`,
      details: { machines: ids, ignored: ignored.map(({ name }) => name) },
    },
  ];
}

/** Machines that do not know a feature. One that does not answer knows it if one of the version in its record does. */
export function without(feature: string, machines: readonly MachineFact[]): readonly string[] {
  const knows = ({ observation }: MachineFact): boolean => observation?.features?.includes(feature) === true;
  const versions = new Set(machines.flatMap((one) => (knows(one) ? [one.observation?.version] : [])));
  return machines
    .filter((one) => (one.observation === undefined ? !versions.has(one.record.version) : !knows(one)))
    .map(({ record }) => record.id);
}
