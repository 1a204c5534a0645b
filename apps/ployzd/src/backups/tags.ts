import type { Backup } from "@ployz/primitives/protocol";

/** A snapshot as restic lists it. */
interface Listed {
  readonly id: string;
  readonly time: string;
  readonly tags?: readonly string[];
}
type Tagged = Omit<Backup, "id" | "repository" | "at">;

/** Tags by which a snapshot of restic is found again. */
export const tagsOf = ({
  cluster,
  clusterId,
  namespace,
  volume,
  machine,
  commit,
  snapshot,
  operation,
}: Tagged): string =>
  Object.entries({ cluster, clusterId, namespace, volume, machine, commit, snapshot, operation })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

/** The backups among what `restic snapshots --json` lists; others' snapshots are left out. Oldest first. */
export function backupsIn(json: string, repository: string): readonly Backup[] {
  const listed = (JSON.parse(json) ?? []) as readonly Listed[];
  return listed
    .flatMap(({ id, time, tags = [] }): Backup[] => {
      const of = new Map(
        tags.flatMap((tag) => {
          const at = tag.indexOf("=");
          return at < 1 ? [] : [[tag.slice(0, at), tag.slice(at + 1)] as const];
        }),
      );
      const [namespace, volume] = [of.get("namespace"), of.get("volume")];
      const clusterId = of.get("clusterId");
      if (namespace === undefined || volume === undefined) return [];
      return [
        {
          ...{ id, repository, namespace, volume, at: new Date(time).toISOString() },
          ...(clusterId !== undefined && { clusterId }),
          ...{ cluster: of.get("cluster") ?? "", machine: of.get("machine") ?? "" },
          ...{ commit: Number(of.get("commit") ?? 0), snapshot: of.get("snapshot") ?? "" },
          operation: of.get("operation") ?? "",
        },
      ];
    })
    .sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
}
