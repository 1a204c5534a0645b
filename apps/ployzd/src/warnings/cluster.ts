import { type Unreadable, unreadable } from "@ployz/primitives/host";
import { type Warning, warning } from "./codes.ts";
import { crashWarnings } from "./crash-loops.ts";
import { healthWarnings } from "./health.ts";
import { aloneWarning, clockWarnings, machineWarnings, versionWarnings } from "./machines.ts";
import { namespaceWarnings, suspendedWarnings } from "./namespaces.ts";
import type { Seen } from "./seen.ts";
import { spaceWarnings } from "./space.ts";
import { storeWarnings } from "./store.ts";
import { volumeWarnings } from "./volumes.ts";

/** Warnings for the operator, worst first, each with a hint. Pure. */
export function warningsOf(seen: Seen): readonly Warning[] {
  if (seen.removed)
    return [
      warning("removed", seen.self, {
        message: `this machine, ${seen.self}, was removed from the cluster`,
        hint: "clean it up: ployzctl mesh leave",
      }),
    ];
  return [
    ...storeWarnings(seen),
    ...unreadableWarnings(seen.unreadable),
    ...(seen.isolated ? [] : [FLAT]),
    ...aloneWarning(seen),
    ...machineWarnings(seen),
    ...spaceWarnings(seen),
    ...clockWarnings(seen),
    ...versionWarnings(seen),
    ...volumeWarnings(seen),
    ...namespaceWarnings(seen),
    ...suspendedWarnings(seen),
    ...crashWarnings(seen.instances, seen.now),
    ...healthWarnings(seen),
    ...seen.instances
      .filter(({ state }) => state === "stray" && seen.open.length === 0)
      .map(({ id, machine, namespace }) =>
        warning("instance_stray", id, {
          message: `${id} on ${machine} belongs to no commit`,
          hint: `remove what no commit of ${namespace} names: ployzctl namespace prune ${namespace}`,
        }),
      ),
  ];
}

/** A cluster from before 0.4 keeps what it had until an operator decides. */
const FLAT: Warning = warning("namespaces_flat", "", {
  message: "namespaces are not apart: every workload reaches every other",
  hint: 'see who talks to whom, then: ployzctl mesh policy enable; or keep it: [policy] isolation = "off" in /etc/ployz/config.toml',
});

/** One for each record, by its name, with the command that repairs it. */
export const unreadableWarnings = (records: readonly Unreadable[]): readonly Warning[] =>
  records.map((record) => {
    const { message, hint = "" } = unreadable(record);
    return warning("record_unreadable", record.key, { message, hint });
  });
