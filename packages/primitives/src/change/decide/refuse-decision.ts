import type { Refusal } from "../../engine/types.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import { missingBundle, missingImage } from "../observe/missing.ts";
import type { JobDecision, ServiceDecision } from "./decision.ts";
import type { Liveness } from "./liveness.ts";
import type { VolumeDecision } from "./volumes.ts";

/** Refuses images and bundles that must be shipped and that no machine has. */
export function shippable(
  services: readonly ServiceDecision[],
  jobs: readonly JobDecision[],
  facts: ChangeFacts,
): readonly Refusal[] {
  const shipped = [
    ...services.flatMap(({ name, next, start }) =>
      next !== undefined && start.length > 0 ? [{ field: `services.${name}`, spec: next.spec }] : [],
    ),
    ...jobs.flatMap(({ name, next, run }) => (run ? [{ field: `jobs.${name}`, spec: next.spec }] : [])),
  ];
  const refusals = shipped.flatMap(({ field, spec: { image, bundle } }): Refusal[] => {
    const found = facts.content.get(image?.digest ?? bundle?.digest ?? "");
    if (found !== undefined && found.holders.length > 0) return [];
    return [
      image
        ? missingImage(`${field}.image`, image.ref, found)
        : missingBundle(`${field}.bundle`, bundle?.digest ?? ""),
    ];
  });
  return [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
}

/**
 * Stop-first and volumes both promise that old and new never run together: impossible to keep while the old instance's machine does
 * not answer.
 */
export function stoppable(
  services: readonly ServiceDecision[],
  volumes: readonly VolumeDecision[],
  state: Liveness,
): readonly Refusal[] {
  const leaving = new Set(
    volumes.flatMap(({ action, previous }) =>
      (action === "copy" || action === "move") && previous ? [previous.id] : [],
    ),
  );
  return services.flatMap(({ name, next, start, retire }) =>
    retire.flatMap((old): Refusal[] => {
      const replaced = start.some(({ replaces }) => replaces === old);
      const ids = Object.values(old.volumes ?? {});
      const must =
        (replaced && (next?.spec.update === "stop-first" || ids.length > 0)) ||
        ids.some((id) => leaving.has(id));
      if (!must || state(old) !== "unknown") return [];
      return [
        {
          code: "machine_unreachable",
          message: `services.${name}: ${old.id} must stop before its successor starts, but machine ${old.machine} does not answer`,
          hint:
            ids.length > 0
              ? `bring ${old.machine} back: its data is there`
              : `bring ${old.machine} back, or set update = "start-first"`,
          machine: old.machine,
        },
      ];
    }),
  );
}
