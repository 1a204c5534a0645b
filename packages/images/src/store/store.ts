import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { PloyzError } from "../error-codes.ts";
import {
  configPlatform,
  contentOf,
  diffIds,
  type ImageManifest,
  invalid,
  MAX_MANIFEST_BYTES,
  type Platform,
  readManifest,
} from "../manifest.ts";
import { type Blobs, openBlobs } from "./blobs.ts";
import { type Collector, openCollector, type Unneeded } from "./collect.ts";
import { compact, type Entry, readIndex, withEntry, writeIndex } from "./index-file.ts";

/** A machine's images: an OCI image layout. One process at a time writes it. */
export interface ImageStore extends Collector {
  readonly blobs: Blobs;
  /** Every complete image, by each of its names. */
  entries(): Promise<readonly Entry[]>;
  /** The manifest, if it is here; its content may not be complete. `undefined` also for a blob that is no manifest. */
  manifest(digest: string): Promise<ImageManifest | undefined>;
  /** A small blob, whole: a manifest or a configuration. Rejects when it is not here. */
  bytes(digest: string): Promise<Buffer>;
  /** The part of its content that is not here. */
  missing(manifest: ImageManifest): Promise<readonly { readonly digest: string; readonly size: number }[]>;
  /** The image that is complete here: by full name, by manifest digest, or by the digest of its configuration. */
  find(nameOrDigest: string): Promise<Entry | undefined>;
  /**
   * Records a complete image. It gets the name, if that means another image here only since before `at`; without `at`, only a name that nothing has.
   * Resolves with whether the name means this image now.
   */
  name(digest: string, name: string | undefined, at?: string): Promise<boolean>;
  /** Without a name the image goes; the next `collect` removes what only it needs. */
  unname(digest: string, name?: string): Promise<void>;
  /** By the digest of an unpacked layer: the compressed layers that images here have for it. */
  layers(): Promise<
    ReadonlyMap<string, { readonly digest: string; readonly size: number; readonly mediaType: string }>
  >;
  /** What no image needs of what arrived before a time (milliseconds since the epoch); without some images, so much more. */
  unneeded(beforeMs: number, without?: ReadonlySet<string>): Promise<readonly Unneeded[]>;
  /** @throws PloyzError `no_space` when so many bytes would not leave a twentieth of the file system free */
  needSpace(bytes: number): Promise<void>;
}

/** Older than every push. */
const UNKNOWN = new Date(0).toISOString();

/** Engines name an image by the digest of its manifest or of its configuration: for one, the other. `undefined`: the image is not here. */
export async function otherDigest(store: ImageStore, digest: string): Promise<string | undefined> {
  const entry = await store.find(digest);
  if (entry === undefined || entry.digest !== digest) return entry?.digest;
  return (await store.manifest(digest))?.config.digest;
}

/** What an image of the store is for. `undefined`: it is not here, or does not say. */
export async function imagePlatform(store: ImageStore, digest: string): Promise<Platform | undefined> {
  const image = await store.manifest((await store.find(digest))?.digest ?? digest);
  if (image === undefined || (await store.blobs.sizeOf(image.config.digest)) === undefined) return undefined;
  return configPlatform(await store.bytes(image.config.digest));
}

/** Bytes of an image's manifest, configuration and compressed layers. */
export async function contentSize(store: Pick<ImageStore, "manifest">, digest: string): Promise<number> {
  const image = await store.manifest(digest);
  return image === undefined ? 0 : contentOf(image).reduce((sum, { size }) => sum + size, 0);
}

/** Opens the store of a folder; makes it at the first write. */
export function openImageStore(dir: string): ImageStore {
  const blobs = openBlobs(dir);
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const next = turn.then(task, task);
    turn = next.catch(() => {});
    return next;
  };
  const bytes = async (digest: string): Promise<Buffer> => {
    const size = await blobs.sizeOf(digest);
    if (size === undefined || size > MAX_MANIFEST_BYTES)
      throw invalid(`${digest} is not here, or is too large`);
    const parts: Buffer[] = [];
    for await (const part of blobs.read(digest) as AsyncIterable<Buffer>) parts.push(part);
    return Buffer.concat(parts);
  };
  const manifest = async (digest: string): Promise<ImageManifest | undefined> => {
    const size = await blobs.sizeOf(digest);
    if (size === undefined || size > MAX_MANIFEST_BYTES) return undefined;
    const read = readManifest(await bytes(digest));
    return read?.kind === "manifest" ? read : undefined;
  };
  /** Content of images that were removed: it goes whatever its age. */
  const released = new Set<string>();
  const unneeded = async (
    beforeMs: number,
    without: ReadonlySet<string> = new Set(),
  ): Promise<readonly Unneeded[]> => {
    const needed = new Set<string>();
    const ofLeaving = new Set(released);
    for (const { digest } of await readIndex(dir)) {
      const image = await manifest(digest);
      const content = image === undefined ? [] : contentOf(image).map((one) => one.digest);
      for (const one of [digest, ...content]) (without.has(digest) ? ofLeaving : needed).add(one);
    }
    return (await blobs.list()).flatMap(({ digest, size, atMs, part }) => {
      if (needed.has(digest) && !part) return [];
      return atMs < beforeMs || ofLeaving.has(digest) ? [{ digest, size, part }] : [];
    });
  };
  const store: ImageStore = {
    ...{ blobs, bytes, manifest, unneeded },
    ...openCollector(blobs, async (beforeMs) => {
      const gone = await unneeded(beforeMs);
      released.clear();
      return gone;
    }),
    entries: () => readIndex(dir),
    async missing(image) {
      const sized = contentOf(image).map(async (one) => ({ one, has: await blobs.sizeOf(one.digest) }));
      return (await Promise.all(sized)).filter(({ has }) => has === undefined).map(({ one }) => one);
    },
    async find(wanted) {
      const entries = await readIndex(dir);
      const direct = entries.find(({ name, digest }) => name === wanted || digest === wanted);
      if (direct !== undefined || !wanted.startsWith("sha256:")) return direct;
      for (const entry of entries) if ((await manifest(entry.digest))?.config.digest === wanted) return entry;
      return undefined;
    },
    name: (digest, name, at) =>
      inTurn(async () => {
        const image = await manifest(digest);
        if (image === undefined) throw invalid(`${digest} is not the manifest of an image`);
        const size = (await blobs.sizeOf(digest)) ?? 0;
        const entries = await readIndex(dir);
        const before = name === undefined ? undefined : entries.find((entry) => entry.name === name);
        const stays = before !== undefined && before.digest !== digest && before.at >= (at ?? "");
        const next = {
          ...{ digest, size, mediaType: image.mediaType, at: at ?? UNKNOWN },
          ...(name !== undefined && !stays && { name }),
        };
        if (before?.digest === digest && before.at >= next.at) return true;
        await writeIndex(dir, withEntry(entries, next));
        return name !== undefined && !stays;
      }),
    unname: (digest, name) =>
      inTurn(async () => {
        const left = (await readIndex(dir)).filter(
          (entry) => !(entry.digest === digest && (name === undefined || entry.name === name)),
        );
        const image = left.some((entry) => entry.digest === digest) ? undefined : await manifest(digest);
        await writeIndex(dir, compact(left));
        if (image === undefined) return;
        for (const one of [digest, ...contentOf(image).map((part) => part.digest)]) released.add(one);
      }),
    async layers() {
      const known = new Map<string, { digest: string; size: number; mediaType: string }>();
      for (const { digest } of await readIndex(dir)) {
        const image = await manifest(digest);
        if (image === undefined || (await blobs.sizeOf(image.config.digest)) === undefined) continue;
        const ids = diffIds(await bytes(image.config.digest));
        for (const [at, layer] of image.layers.entries()) {
          const id = ids[at];
          if (id !== undefined) known.set(id, layer);
        }
      }
      return known;
    },
    async needSpace(wanted) {
      const { bavail, blocks, bsize } = await statfs(dir).catch(() => statfs(dirname(dir)));
      const free = bavail * bsize - (blocks * bsize) / 20;
      if (wanted <= Math.max(0, free)) return;
      throw new PloyzError({
        code: "no_space",
        message: `the image needs ${Math.ceil(wanted / 2 ** 20)} MiB, and ${Math.max(0, Math.floor(free / 2 ** 20))} MiB are left for images in ${dir}`,
        hint: "free some space on that disk, then run the same command again",
      });
    },
  };
  return store;
}
