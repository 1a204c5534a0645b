import type { VolumeCopies } from "@ployz/primitives/client";
import { type Warning, warning } from "./codes.ts";

/** Volumes with one copy on one disk, in one warning for each namespace. Pure. */
export function copyWarnings(rows: readonly VolumeCopies[]): readonly Warning[] {
  const single = new Map<string, string[]>();
  for (const { namespace, volume, machine, standbyAt, backupAt } of rows)
    if (standbyAt === undefined && backupAt === undefined)
      single.set(namespace, [...(single.get(namespace) ?? []), `${volume} on ${machine}`]);
  return [...single].map(([namespace, volumes]) =>
    warning("volume_single_copy", namespace, {
      message: `${namespace}: the only copy of ${volumes.join(", ")} is on one disk`,
      hint: `give it a standby: ployzctl volume standby add; or a backup: ployzctl backup run ${namespace}`,
    }),
  );
}
