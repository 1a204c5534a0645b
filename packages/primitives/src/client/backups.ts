import Type, { type Static } from "typebox";
import { Backup } from "../model/backup.ts";
import { count, error, list, object, text } from "../model/schema.ts";

const repositoryRow = {
  name: text(),
  url: text(),
  /** NAMESPACE/SECRET: its credentials and its password. */
  secret: text(),
  at: text(),
  by: text(),
};
/** A repository for backups, as the cluster knows it. */
export const RepositoryRow = object(repositoryRow);
/** Static type of the schema of this name. */
export type RepositoryRow = Static<typeof RepositoryRow>;
/** Answer of `backup repository ls`. */
export const RepositoryList = object({
  kind: Type.Literal("backup-repositories"),
  repositories: list(RepositoryRow),
});
/** Static type of the schema of this name. */
export type RepositoryList = Static<typeof RepositoryList>;
/** A repository, and whether machines reach it now. */
export const RepositoryDocument = object({
  kind: Type.Literal("backup-repository"),
  ...repositoryRow,
  machines: list(
    object({
      machine: text(),
      /** Version of restic; absent: it has none. */
      restic: Type.Optional(text()),
      state: Type.Enum(["ready", "absent", "unusable"]),
      problem: Type.Optional(error()),
    }),
  ),
});
/** Static type of the schema of this name. */
export type RepositoryDocument = Static<typeof RepositoryDocument>;

/** Backups of all repositories, or of one; oldest first. */
export const BackupList = object({
  kind: Type.Literal("backups"),
  backups: list(Backup),
  /** Repositories that could not be read. */
  problems: list(object({ repository: text(), error: error() })),
});
/** Static type of the schema of this name. */
export type BackupList = Static<typeof BackupList>;

/** One backup, with what goes with its data. */
export const BackupDocument = object({
  kind: Type.Literal("backup"),
  backup: Backup,
  version: text(),
  bytes: count(),
  guid: text(),
  quotaBytes: Type.Optional(count()),
  recordsizeBytes: Type.Optional(count()),
  /** The namespace as it was, the values of `env` included: as secret as they are. */
  manifest: text(),
});
/** Static type of the schema of this name. */
export type BackupDocument = Static<typeof BackupDocument>;
