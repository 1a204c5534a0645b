import Type, { type Static } from "typebox";
import { label } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { KeepRule, Schedule } from "./schedule.ts";
import { count, list, map, object, text } from "./schema.ts";

/** Who did something when. */
const done = { operation: text(), at: text(), by: text() };

/** A sealed secret, by its name: the credentials of a repository and the password that encrypts it. */
export const RepositorySecret = object({ namespace: label(), name: label() });

/** Where backups go, as the fact `backup-repository.<name>`. */
export const BackupRepository = object({
  ...done,
  name: label(),
  url: text(),
  secret: RepositorySecret,
  /** Nothing goes there any more. Its backups stay. */
  removed: Type.Optional(Type.Literal(true)),
});
/** Static type of the schema of this name. */
export type BackupRepository = Static<typeof BackupRepository>;

/** What a machine needs to reach a repository. */
export type RepositoryAt = Pick<BackupRepository, "name" | "url" | "secret">;

/** The last backup of one volume. */
const VolumeBackup = object({
  backup: text(),
  repository: text(),
  /** The machine that had the volume. */
  machine: text(),
  /** RFC 3339: of the snapshot. */
  at: text(),
  bytes: count(),
  addedBytes: count(),
  /** RFC 3339: the last tick of its schedule that it was made for. */
  tick: Type.Optional(text()),
  /** The volume's id: another volume may have its name later. Absent in records of earlier versions. */
  id: Type.Optional(text()),
  /** RFC 3339: backups of that name before this one are of another volume. */
  since: Type.Optional(text()),
});
type VolumeBackup = Static<typeof VolumeBackup>;

/** Whether a backup is of this volume or of its origin, not of an earlier volume of its name. Pure. */
export const isBackupOf = (
  { id: of }: Pick<VolumeBackup, "id">,
  volume: {
    readonly id: string;
    readonly namespace: string;
    readonly name: string;
    readonly origin?: { readonly namespace: string; readonly volume: string };
  },
): boolean =>
  of === undefined ||
  of === volume.id ||
  (volume.origin?.namespace === volume.namespace && volume.origin.volume === volume.name);

/** Backups of a volume by a schedule. */
export const BackupPolicy = object({
  repository: label(),
  schedule: Schedule,
  /** Which backups stay. Absent: all. */
  keep: Type.Optional(KeepRule),
  /** A program inside the instance that uses the volume, before the snapshot; `after` runs after it, whatever comes of it. */
  before: Type.Optional(list(text())),
  after: Type.Optional(list(text())),
  /** How long each of them may take, in milliseconds. */
  timeoutMs: count(),
  /** When its newest backup is verified, and the job that checks it. */
  verify: Type.Optional(object({ schedule: Schedule, job: Type.Optional(label()) })),
});
/** Static type of the schema of this name. */
export type BackupPolicy = Static<typeof BackupPolicy>;

/** The last backup of each volume of a namespace, as the fact `backup-run.<namespace>`. */
export const BackupRuns = object({ ...done, volumes: map(VolumeBackup) });
export type BackupRuns = Static<typeof BackupRuns>;

/** A backup that was restored into a volume of its own, and was what it lists. */
const VerifiedBackup = object({
  backup: text(),
  repository: text(),
  /** RFC 3339: of the data. */
  taken: text(),
  /** RFC 3339: when it was restored. */
  at: text(),
  operation: text(),
  /** The operator's check that has succeeded on it. */
  job: Type.Optional(text()),
});

/** The last verified backup of each volume of a namespace, as the fact `backup-verify.<namespace>`. */
export const BackupVerified = object({ ...done, volumes: map(VerifiedBackup) });
export type BackupVerified = Static<typeof BackupVerified>;

/** One volume at one instant, in a repository. */
export const Backup = object({
  id: text(),
  repository: text(),
  cluster: text(),
  /** Two clusters may have one name, and one repository. Absent in backups that were made before it was noted. */
  clusterId: Type.Optional(text()),
  namespace: text(),
  volume: text(),
  /** RFC 3339. */
  at: text(),
  machine: text(),
  /** The namespace's revision then. */
  commit: count(),
  snapshot: text(),
  /** Backups of one operation are of one instant per machine. */
  operation: text(),
});
/** Static type of the schema of this name. */
export type Backup = Static<typeof Backup>;

/** Whether the cluster has made the backup, and may delete it. */
export const isOwnBackup = (
  { cluster, clusterId }: Pick<Backup, "cluster" | "clusterId">,
  own: { readonly name: string; readonly id: string },
): boolean => (clusterId === undefined ? cluster === own.name : clusterId === own.id);

/** The last backup of the store, as the fact `store-backup.cluster`. */
export const StoreBackup = object({
  ...done,
  backup: text(),
  repository: text(),
  machine: text(),
  bytes: count(),
  addedBytes: count(),
});

/** What goes with the data. */
export const BackupContent = object({
  v: Type.Literal(1),
  version: text(),
  /** The volume's properties. */
  spec: object({
    scope: Type.Enum(["single", "shared"]),
    quotaBytes: Type.Optional(count()),
    recordsizeBytes: Type.Optional(count()),
  }),
  guid: text(),
  /** Of the data in the volume. */
  bytes: count(),
  /** The namespace as it was, as TOML; the values of `env` are in it. */
  manifest: text(),
});
/** Static type of the schema of this name. */
export type BackupContent = Static<typeof BackupContent>;

export const repositoryKey = (name: string): `backup-repository.${string}` => `backup-repository.${name}`;
export const backupPruneKey = (namespace: string): `backup-prune.${string}` => `backup-prune.${namespace}`;
/** Key of the fact about the last verified backups of a namespace. */
export const backupVerifyKey = (namespace: string): `backup-verify.${string}` => `backup-verify.${namespace}`;
/** Key of the fact about the last backups of a namespace. */
export const backupRunKey = (namespace: string): `backup-run.${string}` => `backup-run.${namespace}`;

const SCHEMES =
  "s3:HOST/BUCKET, s3://BUCKET, sftp://USER@HOST/PATH, rest:URL, file:/PATH or rclone:REMOTE:PATH";
const FORMS = [
  /^s3:(https?:\/\/|\/\/)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(\/[A-Za-z0-9._~%+=-]+)*\/?$/,
  /^sftp:(\/\/)?([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?[:/][A-Za-z0-9._~%+=/-]+$/,
  /^rest:https?:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(\/[A-Za-z0-9._~%+=/-]*)?$/,
  /^file:(\/[A-Za-z0-9._~%+=-]+)+\/?$/,
  /^rclone:[A-Za-z0-9_][A-Za-z0-9_.-]*:[A-Za-z0-9._~%+=/-]*$/,
];

/** Why a repository's URL cannot be used. A password in it would be printed by every list. Pure. */
export function repositoryUrlProblem(url: string): { message: string; hint: string } | undefined {
  if (url.length > LIMITS.word) return { message: "is too long", hint: `write ${SCHEMES}` };
  if (/^[a-z0-9]+:(https?:)?(\/\/)?[^/@]*:[^/@]*@/.test(url))
    return {
      message: "has a password in it",
      hint: "put it into the secret: rest_username and rest_password for rest:, an SSH key for sftp:",
    };
  if (FORMS.some((form) => form.test(url)) && !/\/\.\.?(\/|$)/.test(url)) return undefined;
  return { message: "is no place for backups that Ployz knows", hint: `write ${SCHEMES}` };
}
