import { type Warning, warning } from "./codes.ts";
import { isCrashing } from "./crash-loops.ts";
import type { Seen } from "./seen.ts";

/** Running instances that more than half of the gateways find down. One that restarts again and again has a warning of its own. */
export function healthWarnings({ machines, instances, now }: Seen): readonly Warning[] {
  const views = machines.flatMap(({ observation }) => (observation?.down ? [new Set(observation.down)] : []));
  return instances
    .filter((row) => row.committed && row.state === "running" && !isCrashing(row, now))
    .flatMap(({ id, namespace, service, slot, machine }) => {
      const down = views.filter((view) => view.has(id)).length;
      if (down * 2 <= views.length) return [];
      return [
        warning("instance_unhealthy", `${namespace}/${service}.${slot}`, {
          message: `${id} on ${machine} runs and is unhealthy: ${down} of ${views.length} gateways find it down`,
          hint: `see why: ployzctl logs ${namespace}/${service} --tail 50`,
        }),
      ];
    });
}
