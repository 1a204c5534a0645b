import type { Backup, BackupContent } from "../model/backup.ts";
import type { MemoryVolume } from "./memory-volume.ts";

/** A backup in a repository in memory, with its data. */
export type MemoryBackup = {
  readonly backup: Backup;
  readonly content: BackupContent;
  readonly data: MemoryVolume["content"];
};
