import type { VolumeCopies } from "@ployz/primitives/client";
import { type Warning, warning } from "./codes.ts";

/** Weekly backups, and a day to repeat a failed one. */
const BACKUP_OLD_MS = 8 * 86_400_000;

/** Volumes with one copy on one disk, in one warning for each namespace, and backups that are too old. Pure. */
export function copyWarnings(rows: readonly VolumeCopies[], now: number): readonly Warning[] {
  const single = new Map<string, string[]>();
  for (const { namespace, volume, machine, standbyAt, backupAt } of rows)
    if (standbyAt === undefined && backupAt === undefined)
      single.set(namespace, [...(single.get(namespace) ?? []), `${volume} on ${machine}`]);
  return [
    ...[...single].map(([namespace, volumes]) =>
      warning("volume_single_copy", namespace, {
        message: `${namespace}: the only copy of ${volumes.join(", ")} is on one disk`,
        hint: `give it a standby: ployzctl volume standby add; or a backup: ployzctl backup run ${namespace}`,
      }),
    ),
    ...rows
      .filter(({ backupAt }) => backupAt !== undefined && now - Date.parse(backupAt) > BACKUP_OLD_MS)
      .map(({ namespace, volume, backupAt }) =>
        warning("backup_old", `${namespace}/${volume}`, {
          message: `the last backup of ${namespace}/${volume} is of ${backupAt}`,
          hint: `ployzctl backup run ${namespace} --volume ${volume}`,
        }),
      ),
  ];
}
