import type { VolumeCopies } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import type { BackupAge } from "./backup-ages.ts";
import type { Row } from "./standby-rows.ts";

/** When each volume was last backed up: RFC 3339, by `namespace/volume`. */
export async function backupTimes({ store }: Pick<Member, "store">): Promise<ReadonlyMap<string, string>> {
  const facts = await store.facts.list("backup-run");
  return new Map(
    facts.flatMap(({ key, value }) => {
      const namespace = (key as string).slice("backup-run.".length);
      return Object.entries(value.volumes).map(([volume, { at }]) => [`${namespace}/${volume}`, at] as const);
    }),
  );
}

/** The copies of committed volumes. Pure. */
export const copiesOf = (
  commits: readonly Commit[],
  {
    standbys,
    backups,
    ages = [],
  }: {
    readonly standbys: readonly Row[];
    readonly backups: ReadonlyMap<string, string>;
    readonly ages?: readonly Pick<BackupAge, "namespace" | "volume" | "verified">[];
  },
): readonly VolumeCopies[] =>
  commits.flatMap(({ namespace, volumes }) =>
    volumes.map(({ name, id, machine }): VolumeCopies => {
      const standbyAt = standbys
        .filter((row) => row.id === id)
        .flatMap(({ holds }) => holds ?? [])
        .sort()
        .at(-1);
      const verifiedAt = ages.find((age) => age.namespace === namespace && age.volume === name)?.verified;
      const backupAt = backups.get(`${namespace}/${name}`);
      return {
        ...{ namespace, volume: name, machine },
        ...(standbyAt !== undefined && { standbyAt }),
        ...(backupAt !== undefined && { backupAt }),
        ...(verifiedAt !== undefined && { verifiedAt }),
      };
    }),
  );
