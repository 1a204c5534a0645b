import { setTimeout as delay } from "node:timers/promises";
import type { StreamConfig } from "@nats-io/jetstream";
import { PloyzError } from "@ployz/exec";
import { errors, type Msg, type NatsConnection } from "nats";
import { streamConfigs } from "../client/init.ts";
import { withinDeadline } from "../deadline.ts";
import { isStreamMissing, isTransient, storeError } from "../errors.ts";
import { streams } from "../names.ts";
import type { Session } from "../session.ts";
import { contentsOf, infoOf } from "./contents.ts";
import type { Backup } from "./file.ts";
import type { BackupManifest, BackupStream } from "./format.ts";

export interface RestoreOptions {
  /** 1, 3 or 5: as many as the set has servers. */
  readonly replicas: number;
  /** The generation that is founded. */
  readonly generation: number;
  /** Given when the backup is not the whole of the store that it replaces (an old one): followers start afresh. */
  readonly lineage?: string;
}

/** One chunk, or creating the stream on a majority. */
const requestMs = 15_000;

/**
 * Restores a backup into the empty servers of a new generation, and compares what stands there with the backup: sequences and
 * every message. Never adds to anything: what an attempt left is wiped when another re-founding founds the servers.
 * @throws PloyzError `backup_other_cluster`, `store_not_empty` (nothing was changed), `store_restore_failed`,
 *   `restore_unverified`, `store_unavailable`, `store_forbidden`.
 */
export async function restoreStore(
  session: Session,
  backup: Backup,
  options: RestoreOptions,
): Promise<BackupManifest> {
  const { manifest } = backup;
  if (manifest.cluster !== session.cluster) {
    throw new PloyzError({
      code: "backup_other_cluster",
      message: `the backup is of cluster ${manifest.cluster}, not of ${session.cluster}`,
      hint: "take one of this cluster",
    });
  }
  for (const name of Object.values(streams)) {
    const there = await withinDeadline(session, `looking for ${name}`, ({ jsm }) =>
      jsm.streams.info(name).catch((error: unknown) => {
        if (isStreamMissing(error)) return undefined;
        throw error;
      }),
    );
    if (there) throw notEmpty(name);
  }
  const wanted = streamConfigs({
    cluster: session.cluster,
    replicas: options.replicas,
    generation: options.generation,
    lineage: options.lineage ?? manifest.lineage,
  });
  await restoreStreams(session, backup, wanted);
  for (const stream of manifest.streams) await verify(session, stream);
  return manifest;
}

export async function restoreStreams(
  session: Session,
  backup: Backup,
  wanted: ReturnType<typeof streamConfigs>,
): Promise<void> {
  for await (const { stream, chunks } of backup.streams()) {
    const config = wanted.find(({ name }) => name === stream.name);
    if (!config) throw failed(stream.name, "this version does not know it");
    await restoreStream(session, stream, { config: { ...stream.config, ...config }, chunks: chunks() });
  }
}

/** Source: nats-server's jetstream_api.go, `JSApiStreamRestore`: chunks to a subject, each answered; an empty one ends it. */
async function restoreStream(
  session: Session,
  stream: BackupStream,
  from: { readonly config: StreamConfig; readonly chunks: AsyncIterable<Buffer> },
): Promise<void> {
  const { name, state } = stream;
  const { nc } = await session.link();
  const ask = async (subject: string, data: Uint8Array | string) => {
    const reply = await requestOnceHeard(nc, subject, data);
    if (reply.data.length === 0) return undefined;
    const answer = reply.json<{
      readonly error?: { readonly description: string };
      readonly deliver_subject?: string;
    }>();
    if (answer.error) throw failed(name, answer.error.description);
    return answer;
  };
  try {
    const body = JSON.stringify({ config: from.config, state });
    const to = (await ask(`$JS.API.STREAM.RESTORE.${name}`, body))?.deliver_subject;
    if (to === undefined) throw failed(name, "the server named no subject to send to");
    for await (const chunk of from.chunks) await ask(to, chunk);
    await ask(to, "");
  } catch (error) {
    if (isTransient(error)) throw failed(name, "the new servers do not answer", error);
    throw storeError(`restoring ${name}`, error);
  }
}

/**
 * In a set the server that restores may subscribe a moment after its subject is known here. "No responders" says that nobody got
 * the message, so it can be sent again.
 */
async function requestOnceHeard(
  nc: NatsConnection,
  subject: string,
  data: Uint8Array | string,
): Promise<Msg> {
  for (let left = 40; ; left -= 1) {
    try {
      return await nc.request(subject, data, { timeout: requestMs });
    } catch (error) {
      if (left === 0 || !(error instanceof errors.RequestError && error.isNoResponders())) throw error;
      await delay(50);
    }
  }
}

async function verify(session: Session, stream: BackupStream): Promise<void> {
  const { name, state } = stream;
  const now = (await infoOf(session, name)).state;
  // Leases expire while they are copied, and each leaves a marker.
  const ends = name === streams.leases ? now.last_seq >= state.last_seq : now.last_seq === state.last_seq;
  if (!ends) throw unverified(name, `it ends at ${now.last_seq}, not at ${state.last_seq}`);
  if (stream.contents === undefined) return;
  if (now.messages !== state.messages)
    throw unverified(name, `it has ${now.messages} messages, not ${state.messages}`);
  if ((await contentsOf(session, name)) !== stream.contents)
    throw unverified(name, "its messages are not the ones that were copied");
}

const failed = (stream: string, why: string, cause?: unknown) =>
  new PloyzError(
    {
      code: "store_restore_failed",
      message: `restoring ${stream} failed: ${why}`,
      hint: "start the re-founding again, with another id; the one before it is untouched",
    },
    cause === undefined ? undefined : { cause },
  );

const notEmpty = (stream: string) =>
  new PloyzError({
    code: "store_not_empty",
    message: `the new store servers hold ${stream} already`,
    hint: "start the re-founding again, with another id: a restore never adds to what is there",
  });

const unverified = (stream: string, why: string) =>
  new PloyzError({
    code: "restore_unverified",
    message: `${stream} was restored, yet ${why}`,
    hint: "the new generation was not opened; run the command again",
    details: { stream },
  });
