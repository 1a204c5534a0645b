import { randomUUID } from "node:crypto";
import { streamConfigs } from "../client/init.ts";
import { streams } from "../names.ts";
import { type Backup, writeBackup } from "./file.ts";
import { leap, publishAt } from "./place.ts";
import { restoreStreams } from "./restore.ts";
import { startScratch } from "./scratch.ts";
import { snapshotStore } from "./snapshot.ts";

/** Where to write the renewed backup, and the newest revisions it must exceed. */
export interface RenewOptions {
  /** Path of the renewed backup. */
  readonly file: string;
  readonly createdAt: string;
  /** The newest revisions known to any machine (`mirror.applied()`), if any. */
  readonly seen?: { readonly commits: number; readonly facts: number };
  readonly passphrase?: string;
  /** Path of nats-server; default: the one in PATH. */
  readonly binary?: string;
}

/**
 * Prepares a backup to replace a store that was written to since. Contents and revisions stay the same; new revisions start beyond every
 * one that the store may have assigned, so that no machine mistakes a new commit for an old one; and followers start again. Restore the
 * renewed file. Leases are left out: their holders are obsolete.
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
