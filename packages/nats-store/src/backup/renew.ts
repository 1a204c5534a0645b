import { randomUUID } from "node:crypto";
import { streamConfigs } from "../client/init.ts";
import { streams } from "../names.ts";
import { type Backup, writeBackup } from "./file.ts";
import { leap, publishAt } from "./place.ts";
import { restoreStreams } from "./restore.ts";
import { startScratch } from "./scratch.ts";
import { snapshotStore } from "./snapshot.ts";

export interface RenewOptions {
  /** Where the renewed backup is written. */
  readonly file: string;
  readonly createdAt: string;
  /** The newest revisions that any machine knows (`mirror.applied()`), if any. */
  readonly seen?: { readonly commits: number; readonly facts: number };
  readonly passphrase?: string;
  /** Path of nats-server; default: the one in PATH. */
  readonly binary?: string;
}

/**
 * Prepares a backup for taking the place of a store that has gone on since. Contents and revisions are the same; new revisions
 * start beyond every one that the store may have given out, so that no machine takes a new commit for an old one that it knows;
 * and followers start afresh. Restore the renewed one. Leases are left out: their holders are of another time.
 */
export async function renewBackup(backup: Backup, options: RenewOptions): Promise<void> {
  const { cluster, generation } = backup.manifest;
  const server = await startScratch(options.binary, cluster);
  try {
    const layout = { cluster, generation, replicas: 1, lineage: randomUUID() };
    const configs = streamConfigs(layout).map((config) => ({ ...config, deny_purge: false }));
    await restoreStreams(server.session, backup, configs);
    for (const { name, state } of backup.manifest.streams) {
      const { jsm } = await server.session.link();
      if (name === streams.leases) {
        await jsm.streams.purge(name);
        continue;
      }
      const seen = name === streams.commits ? options.seen?.commits : options.seen?.facts;
      const last = Math.max(state.last_seq, seen ?? 0) + leap;
      await publishAt(server.session, name, { kept: [], first: state.last_seq + 1, last });
    }
    const { file, createdAt, passphrase } = options;
    await writeBackup(
      file,
      snapshotStore(server.session, {
        createdAt,
        fenced: true,
        versions: backup.manifest.versions,
        ...(passphrase !== undefined && { passphrase }),
      }),
    );
  } finally {
    await server.stop();
  }
}
