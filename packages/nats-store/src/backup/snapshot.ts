import { createInbox, type Msg } from "nats";
import { labels } from "../client/init.ts";
import { queue } from "../client/queue.ts";
import { withinDeadline } from "../deadline.ts";
import { PloyzError } from "../error-codes.ts";
import { storeError } from "../errors.ts";
import { inboxPrefix, streams } from "../names.ts";
import type { Session } from "../session.ts";
import { contentsOf, infoOf } from "./contents.ts";
import { packBackup } from "./file.ts";
import { type BackupManifest, type BackupStream, frame, frameTypes } from "./format.ts";

/** Time, secrecy and completeness of a backup. */
export interface SnapshotOptions {
  /** RFC 3339: the current time of the caller's clock. */
  readonly createdAt: string;
  /** Fail if the store was written to meanwhile: the store is fenced, and the backup must be complete. */
  readonly fenced?: boolean;
  readonly passphrase?: string;
  /** The key that encrypts secrets: included in the backup if that is encrypted. */
  readonly sealKey?: string;
  /** Versions of the programs, recorded for later readers. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** Copy commits before the facts they refer to, so that even a copy of a serving store holds every fact its commits name. */
const order = [
  streams.commits,
  streams.leases,
  streams.journal,
  streams.operations,
  streams.secrets,
  streams.facts,
];

/** Time-out of one chunk. */
const chunkMs = 15_000;
const chunkBytes = 128 * 1024;

/**
 * Streams the whole store as one backup file. Needs the key of a store machine. A concurrent write may or may not be included; with
 * `fenced` it makes the call fail.
 * @throws PloyzError `store_not_fenced`, `store_snapshot_failed`, `store_unavailable`, `store_forbidden`.
 */
export function snapshotStore(session: Session, options: SnapshotOptions): AsyncGenerator<Buffer, void> {
  return packBackup(body(session, options), options.passphrase);
}

async function* body(session: Session, options: SnapshotOptions): AsyncGenerator<Buffer, void> {
  const found: BackupStream[] = [];
  let consistent = true;
  let label: Readonly<Record<string, string>> = {};
  const before = new Map<string, number>();
  for (const name of order) before.set(name, (await infoOf(session, name)).state.last_seq);
  for (const name of order) {
    const copied: Copied = {};
    for await (const chunk of copyStream(session, name, copied)) yield chunk;
    if (!copied.described) throw failed(name, "the server sent nothing");
    const { config, state } = copied.described;
    if (name === streams.commits) label = config.metadata ?? {};
    const still = async () => (await infoOf(session, name)).state.last_seq === state.last_seq;
    // Leases expire, fenced or not.
    const contents = name !== streams.leases && (await still()) ? await contentsOf(session, name) : undefined;
    const unchanged = contents !== undefined && before.get(name) === state.last_seq && (await still());
    if (name !== streams.leases) consistent &&= unchanged;
    found.push({ name, config, state, ...(unchanged && { contents }) });
  }
  for (const { name, state } of found) {
    if (name === streams.leases) continue;
    consistent &&= (await infoOf(session, name)).state.last_seq === state.last_seq;
  }
  if (options.fenced && !consistent) throw notFenced();
  const link = await session.link();
  const manifest: BackupManifest = {
    v: 1,
    cluster: session.cluster,
    generation: Number(label[labels.generation] ?? 1),
    lineage: label[labels.lineage] ?? "",
    versions: { "nats-server": link.nc.info?.version ?? "", ...options.versions },
    createdAt: options.createdAt,
    consistent,
    streams: found,
    ...(options.passphrase !== undefined && options.sealKey !== undefined && { sealKey: options.sealKey }),
  };
  yield frame(frameTypes.manifest, Buffer.from(JSON.stringify(manifest)));
}

interface Copied {
  described?: Pick<BackupStream, "config" | "state">;
}

/**
 * JetStream's own snapshot of one stream: chunks to a subject, each acknowledged, ended by an empty one.
 * Source: nats-server's jetstream_api.go, `JSApiStreamSnapshot`.
 */
async function* copyStream(session: Session, name: string, copied: Copied): AsyncGenerator<Buffer, void> {
  const inbox = createInbox(inboxPrefix(session.machine));
  const incoming = queue<Msg>();
  const { nc } = await session.link();
  const subscription = nc.subscribe(inbox, {
    callback: (error, message) => (error ? incoming.end(error) : incoming.push(message)),
  });
  const lost = () => incoming.end(failed(name, "the connection to the store was lost"));
  const off = session.onEvent(lost);
  let timer: NodeJS.Timeout | undefined;
  try {
    const request = JSON.stringify({
      deliver_subject: inbox,
      no_consumers: true,
      jsck: true,
      chunk_size: chunkBytes,
    });
    const answer = await withinDeadline(session, `copying ${name}`, async (link) =>
      (await link.nc.request(`$JS.API.STREAM.SNAPSHOT.${name}`, request, { timeout: 5000 })).json<
        Pick<BackupStream, "config" | "state"> & { readonly error?: { readonly description: string } }
      >(),
    );
    if (answer.error) throw failed(name, answer.error.description);
    copied.described = { config: answer.config, state: answer.state };
    yield frame(frameTypes.stream, Buffer.from(JSON.stringify({ name })));
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => incoming.end(failed(name, "the server stopped sending")), chunkMs);
      const message = await incoming.next();
      if (!message) return;
      if (message.data.length === 0) {
        const status = message.headers?.code ?? 0;
        if (status >= 400) throw failed(name, message.headers?.description ?? String(status));
        return;
      }
      clearTimeout(timer); // the reader may be slow
      yield frame(frameTypes.data, message.data);
      message.respond();
    }
  } catch (error) {
    throw storeError(`copying ${name}`, error);
  } finally {
    clearTimeout(timer);
    off();
    subscription.unsubscribe();
  }
}

const failed = (stream: string, why: string) =>
  new PloyzError({
    code: "store_snapshot_failed",
    message: `copying ${stream} out of the store failed: ${why}`,
    hint: "run the command again",
  });

const notFenced = () =>
  new PloyzError({
    code: "store_not_fenced",
    message: "the store was written to during the copy: it is not fenced",
    hint: "fence a majority of its servers, then copy it again",
  });
