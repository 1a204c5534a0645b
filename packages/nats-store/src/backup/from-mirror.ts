import { randomUUID } from "node:crypto";
import { streamConfigs } from "../client/init.ts";
import { withinDeadline } from "../deadline.ts";
import { PloyzError } from "../error-codes.ts";
import { encode } from "../json.ts";
import { loadMirror, type MirrorState } from "../mirror/disk.ts";
import { bucketSubject, commitSubject, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { writeBackup } from "./file.ts";
import { leap, publishAt } from "./place.ts";
import { startScratch } from "./scratch.ts";
import { snapshotStore } from "./snapshot.ts";

/** Where to write a backup that is made of a mirror. */
export interface MirrorFounding {
  readonly cluster: string;
  /** The newest generation known to this machine. */
  readonly generation: number;
  /** Path of the backup to write. */
  readonly file: string;
  readonly createdAt: string;
  readonly passphrase?: string;
  /** Path of nats-server; default: the one in PATH. */
  readonly binary?: string;
}

/** What a mirror gave: revisions and counts. */
export interface Recovered {
  /** The sequence up to which the mirror is complete. */
  readonly commits: number;
  readonly facts: number;
  readonly namespaces: readonly string[];
  readonly factCount: number;
  /** Unreadable files of the mirror, and why. */
  readonly damaged: readonly string[];
  /** Streams that mirrors do not have: they start empty. */
  readonly lost: readonly string[];
}

/**
 * Builds a backup from a machine's mirror, when all store machines are lost: the head of every namespace and every fact, each at its own
 * revision, so that a compare-and-set still matches. New revisions start `leap` after the last known one.
 * History before the heads, journals, operations, leases and secrets are not in a mirror.
 * @throws PloyzError `mirror_empty`, `nats_server_missing`, `nats_server_too_old`.
 */
export async function foundFromMirror(dir: string, options: MirrorFounding): Promise<Recovered> {
  const damaged: unknown[] = [];
  const state = await loadMirror(dir, (error) => damaged.push(error));
  if (state.heads.size === 0 && state.facts.size === 0) throw empty(dir);
  const server = await startScratch(options.binary, options.cluster);
  try {
    await fill(server.session, state, options);
    const snapshot = snapshotStore(server.session, {
      createdAt: options.createdAt,
      fenced: true,
      ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    });
    await writeBackup(options.file, snapshot);
  } finally {
    await server.stop();
  }
  return {
    commits: state.commits,
    facts: state.factsRevision,
    namespaces: [...state.heads.keys()].sort(),
    factCount: state.facts.size,
    damaged: damaged.map(String),
    lost: [streams.journal, streams.operations, streams.leases, streams.secrets],
  };
}

async function fill(session: Session, state: MirrorState, options: MirrorFounding): Promise<void> {
  const { cluster, generation } = options;
  const heads = [...state.heads.values()].map(({ key, value, revision }) => ({
    subject: commitSubject(cluster, key),
    data: encode(value),
    revision,
  }));
  const facts = [...state.facts.values()].map(({ key, value, revision }) => ({
    subject: bucketSubject("facts", key),
    data: encode(value),
    revision,
  }));
  for (const config of streamConfigs({ cluster, generation, replicas: 1, lineage: randomUUID() })) {
    const kept = config.name === streams.commits ? heads : config.name === streams.facts ? facts : undefined;
    const revisions = kept?.map(({ revision }) => revision) ?? [];
    // The real configuration forbids purging the fillers; a restore gives the stream its real configuration.
    const end = Math.max(config.name === streams.commits ? state.commits : state.factsRevision, ...revisions);
    const first = kept ? Math.min(end + 1, ...revisions) : 1;
    const scratch = { ...config, deny_purge: false, first_seq: first };
    await withinDeadline(session, `creating ${config.name}`, ({ jsm }) => jsm.streams.add(scratch));
    if (!kept) continue;
    await publishAt(session, config.name, { kept, first, last: end + leap });
  }
}

const empty = (dir: string) =>
  new PloyzError({
    code: "mirror_empty",
    message: `the mirror in ${dir} is empty`,
    hint: "recover on another survivor, or restore a backup",
  });
