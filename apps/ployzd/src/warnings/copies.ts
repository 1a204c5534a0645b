import type { VolumeCopies } from "@ployz/primitives/client";
import { type Warning, warning } from "./codes.ts";

/** Volumes with one copy on one disk, in one warning for each namespace. Pure. */
export function copyWarnings(rows: readonly VolumeCopies[]): readonly Warning[] {
  const single = new Map<string, VolumeCopies[]>();
  for (const row of rows)
    if (row.standbyAt === undefined && row.backupAt === undefined)
      single.set(row.namespace, [...(single.get(row.namespace) ?? []), row]);
  return [...single].map(([namespace, volumes]) =>
    warning("volume_single_copy", namespace, {
      message: `${namespace}: the only copy of ${volumes.map(({ volume, machine }) => `${volume} on ${machine}`).join(", ")} is on one disk`,
      hint: `give it a standby: ployzctl volume standby add ${namespace}/${volumes[0]?.volume} --to MACHINE; or a backup: ployzctl backup run ${namespace}`,
    }),
  );
}
