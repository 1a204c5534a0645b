import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import {
  type BackupManifest,
  type BackupStream,
  type Frame,
  frameTypes,
  invalid,
  readFrames,
  wrongKey,
} from "./format.ts";
import { createKey, decrypt, encrypt, openKey, type Seal } from "./seal.ts";

/**
 * A backup is one file: `magic`, the length of a JSON header (4 bytes, big-endian), the header, the body (frames; encrypted or
 * not), and the SHA-256 of everything before it.
 */
const magic = Buffer.from("PLOYZBK1");
const digestBytes = 32;
const longestHeader = 4096;

interface Header {
  readonly v: 1;
  readonly seal: Seal | null;
}

/** A fully verified backup. */
export interface Backup {
  readonly manifest: BackupManifest;
  /** Each stream, with the chunks from the server. Read one after the other. */
  streams(): AsyncGenerator<
    {
      readonly stream: BackupStream;
      /** Its content, to be read to its end before the next stream. */
      chunks(): AsyncGenerator<Buffer, void>;
    },
    void
  >;
}

/** Wraps a body into a backup file. With a passphrase everything but the header is encrypted. */
export async function* packBackup(
  body: AsyncIterable<Uint8Array>,
  passphrase: string | undefined,
): AsyncGenerator<Buffer, void> {
  const hash = createHash("sha256");
  const key = passphrase === undefined ? undefined : await createKey(passphrase);
  const header = Buffer.from(JSON.stringify({ v: 1, seal: key?.seal ?? null } satisfies Header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  const start = Buffer.concat([magic, length, header]);
  hash.update(start);
  yield start;
  for await (const chunk of key ? encrypt(key, body) : body) {
    hash.update(chunk);
    yield Buffer.from(chunk);
  }
  yield hash.digest();
}

/** Writes a backup's bytes, from `snapshotStore` or from another machine, atomically. */
export async function writeBackup(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    for await (const chunk of bytes) await file.writeFile(chunk);
    await file.sync();
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, path);
  await syncFolder(dirname(path));
}

/**
 * Verifies a whole backup file.
 * @throws PloyzError `backup_invalid` (damaged, truncated, not a backup), `backup_wrong_key` (also when it needs a passphrase and none was
 *   passed).
 */
export async function readBackup(
  path: string,
  options: { readonly passphrase?: string } = {},
): Promise<Backup> {
  const end = await verifyDigest(path);
  const { header, bodyStart } = await readHeader(path);
  if (header.seal && options.passphrase === undefined)
    throw wrongKey("the backup is encrypted, and no passphrase was passed");
  const key = header.seal ? await openKey(header.seal, options.passphrase ?? "") : undefined;
  const frames = () => {
    const bytes = createReadStream(path, { start: bodyStart, end: end - 1 });
    return readFrames(key ? decrypt(key, bytes) : bytes);
  };

  let manifest: BackupManifest | undefined;
  for await (const { type, data } of frames()) {
    if (type === frameTypes.manifest) manifest = JSON.parse(data.toString("utf8")) as BackupManifest;
  }
  if (manifest?.v !== 1) throw invalid("this version cannot read its manifest");
  const { streams } = manifest;
  return { manifest, streams: () => readStreams(frames(), streams) };
}

async function* readStreams(frames: AsyncGenerator<Frame, void>, streams: readonly BackupStream[]) {
  let next = await frames.next();
  while (!next.done && next.value.type === frameTypes.stream) {
    const { name } = JSON.parse(next.value.data.toString("utf8")) as { readonly name: string };
    const stream = streams.find((one) => one.name === name);
    if (!stream) throw invalid(`its manifest does not list ${name}`);
    async function* chunks(): AsyncGenerator<Buffer, void> {
      for (next = await frames.next(); !next.done && next.value.type === frameTypes.data; ) {
        yield next.value.data;
        next = await frames.next();
      }
    }
    yield { stream, chunks };
  }
}

/** Returns the digest's offset. */
async function verifyDigest(path: string): Promise<number> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new PloyzError(
      {
        code: "backup_missing",
        message: `the backup ${path} does not exist`,
        hint: "pass the path of an existing backup file",
      },
      { cause },
    );
  });
  const end = size - digestBytes;
  if (end < magic.length + 4) throw invalid("it is too short for a backup");
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { end: end - 1 })) hash.update(chunk as Buffer);
  const parts: Buffer[] = [];
  for await (const chunk of createReadStream(path, { start: end })) parts.push(chunk as Buffer);
  if (!hash.digest().equals(Buffer.concat(parts)))
    throw invalid("it is damaged or truncated: its checksum does not match");
  return end;
}

async function readHeader(path: string): Promise<{ readonly header: Header; readonly bodyStart: number }> {
  const parts: Buffer[] = [];
  for await (const chunk of createReadStream(path, { end: magic.length + 4 + longestHeader }))
    parts.push(chunk as Buffer);
  const start = Buffer.concat(parts);
  if (!start.subarray(0, magic.length).equals(magic)) throw invalid("it is not a store backup");
  const length = start.readUInt32BE(magic.length);
  if (length > longestHeader) throw invalid("its header is unreadable");
  const bodyStart = magic.length + 4 + length;
  const header = JSON.parse(start.subarray(magic.length + 4, bodyStart).toString("utf8")) as Header;
  if (header.v !== 1) throw invalid("a newer version of Ployz wrote it");
  return { header, bodyStart };
}
