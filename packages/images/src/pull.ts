import type { Readable } from "node:stream";
import { PloyzError } from "./error-codes.ts";
import {
  configPlatform,
  contentOf,
  type Descriptor,
  type Platform,
  readManifest,
  shownPlatform,
} from "./manifest.ts";
import { GivenUp } from "./store/blobs.ts";
import type { ImageStore } from "./store/store.ts";

/** Somewhere that may have blobs. `undefined`: it does not have this one. */
export interface BlobSource {
  readonly name: string;
  /** The blob from `offset` on; the caller verifies it. */
  open(blob: Descriptor, offset: number, signal: AbortSignal): Promise<Readable | undefined>;
}

export interface PullOptions {
  readonly platform: Platform;
  readonly signal: AbortSignal;
  /** Bytes that have arrived, of how many; also once before the first. */
  onProgress?(done: number, total: number): void;
  /** How many blobs at once. Default 4. */
  readonly parallel?: number;
}

/**
 * Completes an image whose manifest the store has: fetches its missing blobs, several at once and in the manifest's order, each from the first of its
 * sources that has it. A source that fails in the middle is replaced by the next one, which continues at the same byte. Others may follow what arrives.
 * `sources`: those of the manifest's part with this index (the configuration is 0). Returns the bytes that arrived.
 * @throws PloyzError `no_space` before the first byte; `image_blob_corrupt`; `image_platform_missing`; the last source's error
 */
export async function completeImage(
  store: ImageStore,
  digest: string,
  sources: (part: number) => readonly BlobSource[],
  { platform, signal, onProgress, parallel = 4 }: PullOptions,
): Promise<number> {
  const manifest = await store.manifest(digest);
  if (manifest === undefined)
    throw new PloyzError({ code: "image_missing", message: `${digest} is not here` });
  const missing = await store.missing(manifest);
  const total = missing.reduce((sum, { size }) => sum + size, 0);
  const started = await Promise.all(missing.map((blob) => store.blobs.started(blob.digest)));
  const left = total - started.reduce((sum, bytes) => sum + bytes, 0);
  await store.needSpace(left);
  let done = 0;
  onProgress?.(0, left);
  const broken = new AbortController();
  const either = AbortSignal.any([signal, broken.signal]);
  // All machines go through them in the same order: those that wait for each other then never wait in a circle.
  const parts = new Map(contentOf(manifest).map((part, index) => [part.digest, index]));
  const rest = [...missing];
  const worker = async () => {
    for (let blob = rest.shift(); blob !== undefined; blob = rest.shift()) {
      const one = blob as Descriptor;
      await store.blobs.ensure(one, replacing(one, sources(parts.get(one.digest) ?? 0), either), {
        signal: either,
        onBytes(count) {
          done += count;
          onProgress?.(Math.min(done, left), left); // more arrive when some were damaged
        },
      });
    }
  };
  const arrived = store.blobs.growing.expect(missing);
  const workers = Array.from({ length: Math.max(1, Math.min(parallel, rest.length)) }, worker);
  try {
    await Promise.all(workers);
  } catch (error) {
    broken.abort(error);
    await Promise.allSettled(workers);
    throw error;
  } finally {
    arrived();
  }
  const config = await store.bytes(manifest.config.digest);
  const has = configPlatform(config);
  if (has !== undefined && shownPlatform(has) !== shownPlatform(platform))
    throw new PloyzError({
      code: "image_platform_missing",
      message: `the image is for ${shownPlatform(has)}, and this machine is ${shownPlatform(platform)}`,
      hint: "build it for this platform, or constrain the service to machines of the other one",
    });
  return done;
}

/** Rounds over the sources. A source that has sent something and broke may be tried again; a round without any byte is the last. After damaged content it begins again. */
function replacing(blob: Descriptor, sources: readonly BlobSource[], signal: AbortSignal) {
  let next = 0;
  let roundBegan = -1;
  let reason: unknown = new PloyzError({
    code: "image_missing",
    message: `no source has ${blob.digest}: ${sources.map(({ name }) => name).join(", ") || "none is known"}`,
    hint: "push the image again, or bring back a machine that has it (ployzctl image ls)",
  });
  return async ({ offset, failed }: { offset: number; failed: unknown }): Promise<Readable> => {
    if (failed !== undefined) reason = failed;
    if (failed instanceof PloyzError && failed.code === "image_blob_corrupt") roundBegan = -1;
    for (;;) {
      if (next % Math.max(1, sources.length) === 0) {
        if (roundBegan === offset || sources.length === 0) throw new GivenUp(reason);
        roundBegan = offset;
        next = 0;
      }
      const source = sources[next++];
      try {
        const stream = await source?.open(blob, offset, signal);
        if (stream !== undefined) return stream;
      } catch (error) {
        signal.throwIfAborted();
        reason = error;
      }
    }
  };
}

/** The manifest's bytes, from the first source that has it, checked to be an image's. */
export async function takeManifest(
  store: ImageStore,
  digest: string,
  open: (signal: AbortSignal) => Promise<Buffer | undefined>,
  signal: AbortSignal,
): Promise<boolean> {
  const bytes = await open(signal);
  if (bytes === undefined) return false;
  if (readManifest(bytes)?.kind !== "manifest") return false;
  const { Readable } = await import("node:stream");
  await store.blobs.ensure(
    { digest, size: bytes.length },
    async ({ attempt, failed }) => {
      if (attempt > 0) throw new GivenUp(failed);
      return Readable.from([bytes]);
    },
    { signal },
  );
  return true;
}
