import { setTimeout as delay } from "node:timers/promises";
import type { StreamConfig } from "@nats-io/jetstream";
import { errors, type Msg, type NatsConnection } from "nats";
import { streamConfigs } from "../client/init.ts";
import { withinDeadline } from "../deadline.ts";
import { PloyzError } from "../error-codes.ts";
import { isStreamMissing, isTransient, storeError } from "../errors.ts";
import { streams } from "../names.ts";
import type { Session } from "../session.ts";
import { contentsOf, infoOf } from "./contents.ts";
import type { Backup } from "./file.ts";
import type { BackupManifest, BackupStream } from "./format.ts";

/** The set and generation that the backup becomes. */
export interface RestoreOptions {
  /** 1, 3 or 5: the number of servers in the set. */
  readonly replicas: number;
  /** The generation being founded. */
  readonly generation: number;
  /** Set when the backup does not hold all of the replaced store (an older backup): followers start again. */
  readonly lineage?: string;
}

/** One chunk, or creating the stream on a majority. */
const requestMs = 15_000;

/**
 * Restores a backup into the empty servers of a new generation, and compares the result with the backup: sequences and every message. Never
 * adds to existing data: another re-founding wipes the remains of a failed attempt.
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
      message: `the backup belongs to cluster ${manifest.cluster}, not to ${session.cluster}`,
      hint: "use a backup of this cluster",
    });
  }
  for (const name of Object.values(streams)) {
    const there = await withinDeadline(session, `inspecting ${name}`, ({ jsm }) =>
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
    if (!config) throw failed(stream.name, "this version does not know the stream");
    // The next store machines close the secrets again, with their key.
    const { subject_transform: _intake, ...stored } = stream.config;
    await restoreStream(session, stream, { config: { ...stored, ...config }, chunks: chunks() });
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
    if (isTransient(error)) throw failed(name, "the new store servers do not answer", error);
    throw storeError(`restoring ${name}`, error);
  }
}

/**
 * In a set the server that restores may subscribe a moment after its subject is known here. "No responders" means that no server got the
 * message, so it can be sent again.
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
  // Leases expire during the copy, and each leaves a marker.
  const ends = name === streams.leases ? now.last_seq >= state.last_seq : now.last_seq === state.last_seq;
  if (!ends) throw unverified(name, `it ends at ${now.last_seq}, not at ${state.last_seq}`);
  if (stream.contents === undefined) return;
  if (now.messages !== state.messages)
    throw unverified(name, `it has ${now.messages} messages, not ${state.messages}`);
  if ((await contentsOf(session, name)) !== stream.contents)
    throw unverified(name, "its messages differ from the copied ones");
}

const failed = (stream: string, why: string, cause?: unknown) =>
  new PloyzError(
    {
      code: "store_restore_failed",
      message: `restoring ${stream} failed: ${why}`,
      hint: "run the command again; the present store is unchanged",
    },
    cause === undefined ? undefined : { cause },
  );

const notEmpty = (stream: string) =>
  new PloyzError({
    code: "store_not_empty",
    message: `the new store servers already hold ${stream}`,
    hint: "run the command again: it founds empty servers, and a restore never adds to existing data",
  });

const unverified = (stream: string, why: string) =>
  new PloyzError({
    code: "restore_unverified",
    message: `the restored ${stream} differs from the backup: ${why}`,
    hint: "the new generation stays closed; run the command again",
    details: { stream },
  });
