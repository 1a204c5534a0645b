import type { BackupDocument, BackupList, RepositoryDocument, RepositoryList } from "./backups.ts";

/** The routes of the local API about backups. */
export interface BackupApi {
  "GET /v1/backup-repositories": { query: Record<never, string>; body: undefined; out: RepositoryList };
  /** Every machine that answers tries it. */
  "GET /v1/backup-repositories/:name": {
    query: Record<never, string>;
    body: undefined;
    out: RepositoryDocument;
  };
  /** Read from the repositories, by the first machine that has restic and reaches them. */
  "GET /v1/backups": {
    query: { namespace?: string; repository?: string };
    body: undefined;
    out: BackupList;
  };
  "GET /v1/backups/:id": { query: { repository?: string }; body: undefined; out: BackupDocument };
}
