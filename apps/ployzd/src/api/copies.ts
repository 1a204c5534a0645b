import type { VolumeCopies } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import type { BackupAge } from "./backup-ages.ts";
import type { Row } from "./standby-rows.ts";

/** The copies of committed volumes. Pure. */
export const copiesOf = (
  commits: readonly Commit[],
  {
    standbys,
    ages,
  }: {
    readonly standbys: readonly Row[];
    readonly ages: readonly Pick<BackupAge, "namespace" | "volume" | "taken" | "verified">[];
  },
): readonly VolumeCopies[] =>
  commits.flatMap(({ namespace, volumes }) =>
    volumes.map(({ name, id, machine }): VolumeCopies => {
      const standbyAt = standbys
        .filter((row) => row.id === id)
        .flatMap(({ holds }) => holds ?? [])
        .sort()
        .at(-1);
      const { taken: backupAt, verified: verifiedAt } =
        ages.find((age) => age.namespace === namespace && age.volume === name) ?? {};
      return {
        ...{ namespace, volume: name, machine },
        ...(standbyAt !== undefined && { standbyAt }),
        ...(backupAt !== undefined && { backupAt }),
        ...(verifiedAt !== undefined && { verifiedAt }),
      };
    }),
  );
