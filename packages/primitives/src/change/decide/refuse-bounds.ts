import type { Refusal } from "../../engine/types.ts";
import { formatSize } from "../../manifest/units.ts";
import type { JobSpec, ServiceSpec } from "../../model/commit.ts";
import { invalid } from "../../model/field.ts";
import { LIMITS } from "../../model/limits.ts";

/** Bounds that a spec of an earlier commit may break, since it was committed before they were known. */
export function refuseBounds(
  at: readonly ["services" | "jobs", string],
  { bundle, resources = {} }: Pick<ServiceSpec | JobSpec, "bundle" | "resources">,
): readonly Refusal[] {
  const { pids = LIMITS.pids, memoryBytes = LIMITS.memory } = resources;
  const hint = "deploy a manifest that says so, instead of the earlier commit";
  return [
    ...(bundle === undefined || pids >= LIMITS.pids
      ? []
      : [
          invalid(
            [...at, "resources", "pids"],
            `must be at least ${LIMITS.pids} with a bundle, not ${pids}`,
            hint,
          ),
        ]),
    ...(memoryBytes >= LIMITS.memory
      ? []
      : [
          invalid(
            [...at, "resources", "memory"],
            `must be at least ${formatSize(LIMITS.memory)}, not ${formatSize(memoryBytes)}`,
            hint,
          ),
        ]),
  ];
}
