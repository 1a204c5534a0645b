import type { ErrorBody } from "@ployz/errors";
import type { Backup, BackupContent, RepositoryAt } from "../model/backup.ts";

/** The part of the protocol that keeps copies of volumes outside the cluster. Progress: `{ done, total? }` in bytes, or `{ waiting: true }` while another program has locked the repository. */
export interface BackupCommands {
  /**
   * What this machine has for backups, and whether it reaches a repository with its secret. `restic`: its version. `absent`: nothing is there
   * yet. `problem`: why it cannot be used.
   */
  "backup.look": {
    args: { repository?: RepositoryAt };
    out: { restic: string | null; state?: "ready" | "absent"; problem?: ErrorBody };
  };
  /** Initialises the repository, unless it is one already. */
  "backup.open": { args: { repository: RepositoryAt }; out: { created: boolean } };
  /** Oldest first. `after`: the `next` of the page before, or empty for the first page; absent: all in one answer, which has its limit. */
  "backup.list": {
    args: { repository: RepositoryAt; namespace?: string; after?: string };
    out: { backups: readonly Backup[]; next?: string };
  };
  /** A backup by its id or at least eight characters of its beginning; `null`: there is none. */
  "backup.read": {
    args: { repository: RepositoryAt; id: string };
    out: { backup: Backup; content: BackupContent } | null;
  };
  /** Copies a snapshot's data to the repository, by a clone that is gone afterwards. The same operation's second try finds the first one's backup. */
  "backup.take": {
    args: BackupTake;
    out: { backup: string; at: string; bytes: number; addedBytes: number };
  };
  /** Runs a program inside an instance, as the operator wants it around a backup. Fails with `hook_failed`. */
  "backup.hook": { args: { id: string; argv: readonly string[]; timeoutMs: number }; out: null };
  /** Deletes backups, and the data that no other one needs. Those that are gone already are passed over. */
  "backup.forget": { args: { repository: RepositoryAt; backups: readonly string[] }; out: null };
  /** Copies the store to the repository; of a machine that holds it. The same operation's second try finds the first one's backup. */
  "backup.store": {
    args: { repository: RepositoryAt; operation: string };
    out: { backup: string; bytes: number; addedBytes: number };
  };
  /** Undo of an unfinished `backup.take`: its clone goes, and its lock where its program is dead. */
  "backup.drop": { args: { repository: RepositoryAt; id: string }; out: null };
  /**
   * Puts the data of a backup into a volume that the same operation made here. `fresh`: all of it comes from the repository, nothing from
   * this machine's cache.
   */
  "backup.restore": {
    args: { repository: RepositoryAt; backup: string; id: string; operation: string; fresh?: true };
    out: null;
  };
  /** Compares a volume that the same operation restored with the list of its backup: names, types, sizes, owners, modes and times. Fails with `backup_differs`. */
  "backup.compare": {
    args: { repository: RepositoryAt; backup: string; id: string; operation: string };
    out: { files: number; bytes: number };
  };
  /** Reads and checks all data of a repository. Fails with `backup_damaged`. */
  "backup.check": { args: { repository: RepositoryAt }; out: null };
}

/** A volume of a machine, and the tags of its backup. */
export type BackupTake = {
  readonly repository: RepositoryAt;
  readonly namespace: string;
  readonly volume: string;
  readonly id: string;
  readonly snapshot: string;
  readonly guid: string;
  /** Revision of the commit that goes with it. */
  readonly commit: number;
  readonly operation: string;
};
