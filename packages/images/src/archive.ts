import { createHash } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { extract } from "tar-stream";
import {
  contentOf,
  type Descriptor,
  descriptor,
  diffIds,
  forPlatform,
  type ImageManifest,
  invalid,
  MAX_MANIFEST_BYTES,
  MEDIA,
  type Platform,
  readManifest,
} from "./manifest.ts";
import { fullName, parseReference } from "./reference.ts";
import type { ImageStore } from "./store/store.ts";

/** Less than a percent larger than level 6 for layers of programs, in half the time. */
const LEVEL = 4;
/** More files are no archive of an image. */
const MAX_FILES = 10_000;

interface Stored {
  readonly digest: string;
  readonly size: number;
  /** False: the store had it before. */
  readonly added: boolean;
  /** Of the uncompressed content, where it was compressed here. */
  readonly diffId?: string;
}

/** An image that an archive held. */
export interface Archived {
  readonly digest: string;
  /** Full name, from the archive; absent when it has none. */
  readonly name?: string;
  /** Of the manifest's content. */
  readonly size: number;
}

/**
 * Reads what `docker save` writes (a docker-archive), or a tar of an OCI image layout, once and from beginning to end, into the store. The same image always
 * gets the same digest: an OCI manifest is kept, and one is made for a docker-archive, from its layers compressed here.
 * @throws PloyzError `image_invalid`, `image_platform_missing`, `no_space`
 */
export async function readArchive(
  store: ImageStore,
  tar: Readable,
  { name, platform }: { readonly name?: string | undefined; readonly platform: Platform },
): Promise<Archived> {
  return store.use(() => readInto(store, tar, { name, platform }));
}

async function readInto(
  store: ImageStore,
  tar: Readable,
  { name, platform }: { readonly name?: string | undefined; readonly platform: Platform },
): Promise<Archived> {
  const files = new Map<string, Stored>();
  try {
    await readFiles(store, tar, files);
    const found = await imageOf(store, files, { name, platform });
    await dropOthers(store, files, found);
    const { manifest, ...image } = found;
    return { ...image, size: contentOf(manifest).reduce((sum, { size }) => sum + size, 0) };
  } catch (error) {
    await dropOthers(store, files);
    throw error;
  }
}

/** Removes what came with the archive and does not belong to the image. */
async function dropOthers(
  store: ImageStore,
  files: ReadonlyMap<string, Stored>,
  image?: { readonly digest: string; readonly manifest: ImageManifest },
): Promise<void> {
  const kept = new Set(
    image === undefined ? [] : [image.digest, ...contentOf(image.manifest).map(({ digest }) => digest)],
  );
  for (const { digest, added } of files.values())
    if (added && !kept.has(digest)) await store.blobs.remove(digest);
}

async function imageOf(
  store: ImageStore,
  files: ReadonlyMap<string, Stored>,
  { name, platform }: { readonly name?: string | undefined; readonly platform: Platform },
): Promise<{ readonly digest: string; readonly name?: string; readonly manifest: ImageManifest }> {
  const index = await json(store, files.get("index.json"));
  const list = await json(store, files.get("manifest.json"));
  if (index === undefined && list === undefined)
    throw invalid("the archive has neither index.json nor manifest.json", "make it with docker save");
  const found =
    index === undefined
      ? await fromDockerArchive(store, files, list, name)
      : await fromLayout(store, index, list, { name, platform });
  const manifest = await store.manifest(found.digest);
  if (manifest === undefined) throw invalid("its manifest is not in the archive");
  const missing = await store.missing(manifest);
  if (missing.length > 0) throw invalid(`the archive lacks ${missing.length} of its parts`, "save it again");
  return { ...found, manifest };
}

/** Puts every file of the archive into the store, by its path. */
async function readFiles(store: ImageStore, tar: Readable, files: Map<string, Stored>): Promise<void> {
  const links = new Map<string, string>();
  const entries = extract();
  tar.on("error", (error) => entries.destroy(error)).pipe(entries);
  try {
    for await (const entry of entries) {
      const { name, type, linkname, size } = entry.header;
      const path = posix.normalize(name);
      if (files.size + links.size > MAX_FILES) throw invalid("the archive has too many files");
      if (type === "file" || type === "contiguous-file")
        files.set(path, await storeFile(store, path, size, Readable.from(entry, { objectMode: false })));
      else {
        if ((type === "symlink" || type === "link") && linkname) {
          const from = type === "link" ? linkname : posix.join(posix.dirname(path), linkname);
          links.set(path, posix.normalize(from));
        }
        entry.resume();
      }
    }
  } catch (error) {
    if (error instanceof Error && /tar|end of data/i.test(error.message) && !("code" in error))
      throw invalid(`the archive is not a tar: ${error.message}`);
    throw error;
  }
  for (const [path, target] of links) {
    const file = files.get(target);
    if (file !== undefined) files.set(path, file);
  }
}

/** Blobs of an OCI layout stay as they are: their names are their digests. Layers of a docker-archive are compressed. */
async function storeFile(store: ImageStore, path: string, size: number, content: Readable): Promise<Stored> {
  if (path.endsWith(".tar")) {
    const hash = createHash("sha256");
    const zipped = Readable.from(
      (async function* () {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          hash.update(chunk);
          yield chunk;
        }
      })(),
      { objectMode: false },
    );
    const gzip = createGzip({ level: LEVEL });
    zipped.on("error", (error) => gzip.destroy(error));
    const stored = await store.blobs.add(zipped.pipe(gzip));
    return { ...stored, diffId: `sha256:${hash.digest("hex")}` };
  }
  await store.needSpace(size);
  return store.blobs.add(content);
}

async function json(store: ImageStore, file: Stored | undefined): Promise<unknown> {
  if (file === undefined || file.size > MAX_MANIFEST_BYTES) return undefined;
  try {
    return JSON.parse((await store.bytes(file.digest)).toString("utf8"));
  } catch {
    throw invalid("a JSON file in the archive is malformed");
  }
}

interface Listed {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers: readonly string[];
}

function listed(list: unknown): readonly Listed[] {
  return (Array.isArray(list) ? list : []).filter(
    (entry: unknown): entry is Listed =>
      typeof entry === "object" &&
      entry !== null &&
      "Config" in entry &&
      typeof entry.Config === "string" &&
      "Layers" in entry &&
      Array.isArray(entry.Layers),
  );
}

const fullNames = (tags: readonly string[] | null | undefined): readonly string[] =>
  (tags ?? []).map((tag) => fullName(parseReference(tag)));

/** https://github.com/moby/docker-image-spec, "combined image JSON + filesystem changeset format" */
async function fromDockerArchive(
  store: ImageStore,
  files: ReadonlyMap<string, Stored>,
  list: unknown,
  name: string | undefined,
): Promise<{ readonly digest: string; readonly name?: string }> {
  const images = listed(list);
  const image =
    images.length === 1
      ? images[0]
      : images.find(({ RepoTags }) => name !== undefined && fullNames(RepoTags).includes(name));
  if (image === undefined)
    throw invalid(`the archive holds ${images.length} images`, "name one of them, or save one image");
  const config = files.get(posix.normalize(image.Config));
  if (config === undefined) throw invalid("its configuration is not in the archive");
  const ids = diffIds(await store.bytes(config.digest));
  const known = await store.layers();
  const layers = image.Layers.map((path, at): Descriptor => {
    const file = files.get(posix.normalize(path));
    if (file === undefined || file.diffId !== ids[at])
      throw invalid(`its layer ${at + 1} is not the one of its configuration`, "save it again");
    // A layer that an image here has already is the same blob, whoever compressed it.
    const { digest, size, mediaType } = known.get(file.diffId ?? "") ?? {
      ...file,
      mediaType: MEDIA.layerGzip,
    };
    return { mediaType, digest, size };
  });
  if (layers.length !== ids.length)
    throw invalid("its configuration names other layers than the archive has");
  const own = fullNames(image.RepoTags)[0];
  // Engines forget manifests. An image here with this configuration has these layers: whoever made its manifest, it is the same image.
  const here = await store.find(config.digest);
  if (here !== undefined) return { digest: here.digest, ...(own !== undefined && { name: own }) };
  const manifest = {
    ...{ schemaVersion: 2, mediaType: MEDIA.manifest },
    config: { mediaType: MEDIA.config, digest: config.digest, size: config.size },
    layers,
  };
  const { digest } = await store.blobs.add(Readable.from([Buffer.from(JSON.stringify(manifest))]));
  return { digest, ...(own !== undefined && { name: own }) };
}

/** https://github.com/opencontainers/image-spec/blob/main/image-layout.md; Docker 25 and newer add it to the old format. */
async function fromLayout(
  store: ImageStore,
  index: unknown,
  list: unknown,
  { name, platform }: { readonly name?: string | undefined; readonly platform: Platform },
): Promise<{ readonly digest: string; readonly name?: string }> {
  const entries = (index as { manifests?: unknown }).manifests;
  const manifests = (Array.isArray(entries) ? entries : []).map((raw: unknown) => {
    const notes = (raw as { annotations?: Readonly<Record<string, string>> }).annotations ?? {};
    return {
      ...descriptor(raw),
      whole: notes["io.containerd.image.name"],
      named: notes["io.containerd.image.name"] ?? notes["org.opencontainers.image.ref.name"],
    };
  });
  const wanted =
    manifests.length === 1
      ? manifests[0]
      : manifests.find(({ named }) => named !== undefined && name !== undefined && fullOf(named) === name);
  if (wanted === undefined)
    throw invalid(`the archive holds ${manifests.length} images`, "name one of them, or save one image");
  // The other annotation is often a bare tag, which is no name.
  const own =
    fullNames(listed(list)[0]?.RepoTags)[0] ??
    (wanted.whole === undefined ? undefined : fullOf(wanted.whole));
  const read = readManifest(await store.bytes(wanted.digest));
  const digest =
    read?.kind === "index" ? forPlatform(read, platform, name ?? "the image").digest : wanted.digest;
  return { digest, ...(own !== undefined && { name: own }) };
}

function fullOf(named: string): string | undefined {
  try {
    return fullName(parseReference(named));
  } catch {
    return undefined; // a bare tag
  }
}
