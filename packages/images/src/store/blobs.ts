import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { PloyzError } from "../error-codes.ts";
import { invalid } from "../manifest.ts";
import { isDigest } from "../reference.ts";
import { type GrowingBlobs, openGrowing } from "./growing.ts";

/**
 * Content under its digest, in an OCI image layout's `blobs/sha256`. A blob is written to `ingest/` and renamed once its digest is right, so that a
 * name never holds a part or something else. What an interrupted transfer left in `ingest/` is continued.
 */
export interface Blobs {
  /** `undefined`: it is not here. */
  sizeOf(digest: string): Promise<number | undefined>;
  read(digest: string, offset?: number): Readable;
  /**
   * Makes sure that the blob is here. `source` opens it from an offset on and is called again after a failure, until it throws `GivenUp`; content
   * with another digest is a failure too, after which it begins at the first byte.
   * @throws PloyzError `image_blob_corrupt`, `no_space`, or the cause of `GivenUp`
   */
  ensure(
    blob: { readonly digest: string; readonly size: number },
    source: Source,
    options: EnsureOptions,
  ): Promise<void>;
  /** Stores a stream whose digest is not known yet. */
  add(stream: Readable): Promise<{ readonly digest: string; readonly size: number; readonly added: boolean }>;
  /** `atMs`: when it arrived here. `part`: a started transfer of it. */
  list(): Promise<readonly StoredBlob[]>;
  /** Also what a started transfer of it has left; `part`: only that. */
  remove(digest: string, what?: "all" | "part"): Promise<void>;
  /** Removes unfinished additions of a killed process. Call it before any `add`. */
  tidy(): Promise<void>;
  /** Bytes that a started transfer of this blob has left. */
  started(digest: string): Promise<number>;
  /** Blobs on their way here. */
  readonly growing: Pick<GrowingBlobs, "expect" | "coming" | "read">;
}

export interface StoredBlob {
  readonly digest: string;
  readonly size: number;
  readonly atMs: number;
  readonly part: boolean;
}

/** `attempt`: from 0; the next one after each failure, whose cause is `failed`. */
export type Source = (from: {
  readonly offset: number;
  readonly attempt: number;
  readonly failed: unknown;
}) => Promise<Readable>;

export interface EnsureOptions {
  readonly signal: AbortSignal;
  /** With each arrived piece. */
  onBytes?(count: number): void;
}

/** A source that sends nothing for this long is replaced. */
const STALLED_MS = 15_000;
/** So often the content may have another digest before the transfer fails. */
const MAX_CORRUPT = 3;

export function openBlobs(dir: string, stalledMs = STALLED_MS): Blobs {
  const folder = join(dir, "blobs", "sha256");
  const ingest = join(dir, "ingest");
  const hexOf = (digest: string): string => {
    if (!isDigest(digest)) throw invalid(`${JSON.stringify(digest.slice(0, 100))} is not a sha256 digest`);
    return digest.slice("sha256:".length);
  };
  const path = (digest: string) => join(folder, hexOf(digest));
  const part = (digest: string) => join(ingest, hexOf(digest));
  const ready = async () => {
    await Promise.all([
      mkdir(folder, { recursive: true, mode: 0o700 }),
      mkdir(ingest, { recursive: true, mode: 0o700 }),
    ]);
  };
  const sizeAt = (file: string) =>
    stat(file).then(
      ({ size }) => size,
      () => undefined,
    );
  const finish = async (from: string, digest: string) => {
    await rename(from, path(digest));
    await syncFolder(folder);
  };
  const running = new Map<string, Promise<void>>();
  const growing = openGrowing();
  let names = 0;

  async function transfer(
    { digest, size }: { readonly digest: string; readonly size: number },
    source: Source,
    { signal, onBytes }: EnsureOptions,
  ): Promise<void> {
    const file = part(digest);
    let failed: unknown;
    for (let attempt = 0, corrupt = 1; ; corrupt++) {
      const hash = createHash("sha256");
      let offset = await hashed(file, hash, size);
      const shared = growing.begin(digest, { file, whole: path(digest) }, offset);
      let right = false;
      try {
        // A complete part that was not renamed: a crash came between.
        for (; offset < size || (size === 0 && attempt === 0); attempt++) {
          signal.throwIfAborted();
          try {
            await appended(file, await source({ offset, attempt, failed }), {
              ...{ hash, room: size - offset, signal, stalledMs },
              onBytes(count) {
                offset += count;
                shared.advance(count);
                onBytes?.(count);
              },
            });
            if (offset < size) throw new Error(`the source ended after ${offset} of ${size} bytes`);
          } catch (error) {
            signal.throwIfAborted();
            if (error instanceof GivenUp) throw error.cause;
            if (isFull(error)) throw full(error);
            failed = error;
          }
        }
        const found = `sha256:${hash.digest("hex")}`;
        if (found === digest) {
          await finish(file, digest);
          right = true;
          return;
        }
        await rm(file, { force: true });
        failed = new PloyzError({
          code: "image_blob_corrupt",
          message: `received ${found} instead of ${digest}, ${corrupt} times`,
          hint: "the source is damaged, or changes what it sends: push the image again, or repair the registry",
          details: { digest, found },
        });
        if (corrupt === MAX_CORRUPT) throw failed;
      } finally {
        shared.end(right);
      }
    }
  }

  return {
    sizeOf: (digest) => sizeAt(path(digest)),
    read: (digest, offset = 0) => createReadStream(path(digest), { start: offset }),
    async ensure(blob, source, options) {
      await ready();
      for (;;) {
        if ((await sizeAt(path(blob.digest))) !== undefined) return;
        const other = running.get(blob.digest);
        if (other === undefined) break;
        await other.catch(() => {}); // its failure is its caller's; this one then tries itself
      }
      const mine = transfer(blob, source, options).finally(() => running.delete(blob.digest));
      running.set(blob.digest, mine);
      return mine;
    },
    async add(stream) {
      await ready();
      const file = join(ingest, `new-${process.pid}-${++names}`);
      const hash = createHash("sha256");
      let size = 0;
      try {
        await appended(file, stream, {
          ...{ hash, room: Number.POSITIVE_INFINITY, signal: new AbortController().signal },
          onBytes: (count) => {
            size += count;
          },
        });
        const digest = `sha256:${hash.digest("hex")}`;
        const added = (await sizeAt(path(digest))) === undefined;
        if (added) await finish(file, digest);
        return { digest, size, added };
      } catch (error) {
        throw isFull(error) ? full(error) : error;
      } finally {
        await rm(file, { force: true });
      }
    },
    list: async () => [...(await blobsIn(folder, false)), ...(await blobsIn(ingest, true))],
    async remove(digest, what = "all") {
      if (what === "all") await rm(path(digest), { force: true });
      await rm(part(digest), { force: true });
    },
    async tidy() {
      const names = await readdir(ingest).catch(() => [] as string[]);
      for (const name of names.filter((one) => one.startsWith("new-")))
        await rm(join(ingest, name), { force: true });
    },
    started: async (digest) => (await sizeAt(part(digest))) ?? 0,
    growing,
  };
}

async function blobsIn(dir: string, part: boolean): Promise<readonly StoredBlob[]> {
  const names = (await readdir(dir).catch(() => [] as string[])).filter((hex) => isDigest(`sha256:${hex}`));
  const found = names.sort().map(async (hex): Promise<readonly StoredBlob[]> => {
    const at = await stat(join(dir, hex)).catch(() => undefined); // gone meanwhile
    return at === undefined
      ? []
      : [{ digest: `sha256:${hex}`, size: at.size, atMs: Math.trunc(at.mtimeMs), part }];
  });
  return (await Promise.all(found)).flat();
}

/** Thrown by a `Source`: there is nothing more to try, for this reason. */
export class GivenUp extends Error {
  constructor(cause: unknown) {
    super("no source is left", { cause });
  }
}

/** Continues a file: the number of bytes that it has, after hashing them. One that is too long begins again. */
async function hashed(file: string, hash: Hash, size: number): Promise<number> {
  const has = await stat(file).then(
    ({ size: bytes }) => bytes,
    () => 0,
  );
  if (has > size) {
    await rm(file, { force: true });
    return 0;
  }
  if (has > 0) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return has;
}

async function appended(
  path: string,
  stream: Readable,
  options: {
    readonly hash: Hash;
    readonly room: number;
    readonly signal: AbortSignal;
    readonly stalledMs?: number;
    onBytes(count: number): void;
  },
): Promise<void> {
  const { hash, signal, stalledMs } = options;
  let { room } = options;
  const stop = () => stream.destroy(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  // It may be stopped before the loop reads it, which then reports the reason.
  stream.on("error", () => {});
  const stalled =
    stalledMs === undefined
      ? undefined
      : setTimeout(() => stream.destroy(new Error(`the source sent nothing for ${stalledMs} ms`)), stalledMs);
  let file: FileHandle | undefined;
  try {
    file = await open(path, "a", 0o600);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (chunk.length > room) throw new Error("the source sends more than the blob has");
      await file.appendFile(chunk);
      hash.update(chunk);
      room -= chunk.length;
      options.onBytes(chunk.length);
      stalled?.refresh();
    }
    await file.sync();
  } finally {
    clearTimeout(stalled);
    signal.removeEventListener("abort", stop);
    stream.destroy();
    await file?.close();
  }
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const isFull = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException | undefined)?.code ?? "");
const full = (cause: unknown) =>
  new PloyzError(
    {
      code: "no_space",
      message: "no space is left for images",
      hint: "free some space on that disk, then run the same command again",
    },
    { cause },
  );
