/** Stands for the namespace of schedules that are the cluster's own. */
export const CLUSTER_SCHEDULES = "-";

/** How people name a schedule: `prod/report`, or `nightly` of the cluster. Pure. */
export const scheduleTitle = ({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string => (namespace === CLUSTER_SCHEDULES ? name : `${namespace}/${name}`);

/** Stands for the namespace in backups of the store itself. */
export const CLUSTER_BACKUPS = "-";
/** Stands for the volume there. */
export const STORE_BACKUP = "store";

/** The subject of a backup, for people: `prod/pgdata`, or the store. Pure. */
export const backupTitle = ({
  namespace,
  volume,
}: {
  readonly namespace: string;
  readonly volume: string;
}): string => (namespace === CLUSTER_BACKUPS ? `the ${volume}` : `${namespace}/${volume}`);
