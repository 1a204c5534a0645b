import type { Refusal } from "../../engine/types.ts";
import { routeKey } from "../../manifest/normalise.ts";
import { featuresOf, serviceFeatures } from "../../model/features.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts, MachineFact } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";

/** Features that the commit adds, and that a machine of an earlier version would ignore. Committed ones stay. */
export function refuseFeatures(
  { services }: Pick<Desired, "services">,
  { head, machines }: Pick<ChangeFacts, "head" | "machines">,
): readonly Refusal[] {
  const had = new Set(
    head?.commit.routes.flatMap((route) => featuresOf(route).map((name) => `${routeKey(route)} ${name}`)),
  );
  return Object.entries(services).flatMap(([service, one]): readonly Refusal[] => {
    const before = own(head?.commit.services, service);
    const added = [
      ...one.spec.routes.flatMap((route) =>
        featuresOf(route).filter((name) => !had.has(`${routeKey(route)} ${name}`)),
      ),
      ...serviceFeatures(one).filter(
        (name) => before === undefined || !serviceFeatures(before).includes(name),
      ),
    ];
    const ignored = [...new Set(added)]
      .map((name) => ({ name, ids: without(name, machines) }))
      .filter(({ ids }) => ids.length > 0);
    if (ignored.length === 0) return [];
    const ids = [...new Set(ignored.flatMap(({ ids }) => ids))].sort();
    const names = ignored.map(({ name }) => name).join(", ");
    return [
      {
        code: "machine_outdated",
        message: `services.${service}: ${ids.join(", ")} would ignore ${names}: the version of Ployz there is too old`,
        hint: `update them first: ployzctl machine update ${ids.join(" ")}`,
        details: { machines: ids, ignored: ignored.map(({ name }) => name) },
      },
    ];
  });
}

/** A machine that does not answer knows it if one of the version in its record does. */
function without(feature: string, machines: readonly MachineFact[]): readonly string[] {
  const knows = ({ observation }: MachineFact): boolean => observation?.features?.includes(feature) === true;
  const versions = new Set(machines.flatMap((one) => (knows(one) ? [one.observation?.version] : [])));
  return machines
    .filter((one) => (one.observation === undefined ? !versions.has(one.record.version) : !knows(one)))
    .map(({ record }) => record.id);
}
