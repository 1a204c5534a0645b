import { createHash } from "node:crypto";
import {
  configPlatform,
  contentSize,
  forPlatform,
  fullName,
  type ImageStore,
  imagePlatform,
  isDigest,
  MAX_MANIFEST_BYTES,
  type Platform,
  parseReference,
  type Reference,
  type Registry,
  readAtMost,
  readManifest,
} from "@ployz/images";
import type { Commands } from "@ployz/primitives/protocol";
import type { Images } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";

type Resolved = Commands["image.resolve"]["out"];

/** The image on this machine. Of a name that store and engine know, the newer meaning counts: someone may have built it after the push. */
export async function resolveHere(
  ref: string,
  store: ImageStore,
  engine: Images | undefined,
): Promise<NonNullable<Resolved> | undefined> {
  const named = isDigest(ref) ? undefined : reference(ref);
  const digest = isDigest(ref) ? ref : named?.digest;
  if (digest !== undefined) {
    const entry = await store.find(digest);
    if (entry !== undefined)
      return {
        digest,
        sizeBytes: await contentSize(store, entry.digest),
        ...(await archOf(store, entry.digest)),
      };
  }
  const entry = named === undefined || digest !== undefined ? undefined : await store.find(fullName(named));
  const image = await engine?.resolve(ref);
  if (image === undefined && entry === undefined) return undefined;
  const known = image === undefined ? undefined : await store.find(image.id);
  if (entry !== undefined) {
    const newer = image !== undefined && known?.digest !== entry.digest && (image.namedAt ?? "") > entry.at;
    if (!newer)
      return {
        ...{ digest: entry.digest, sizeBytes: await contentSize(store, entry.digest), at: entry.at },
        ...(await archOf(store, entry.digest)),
      };
  }
  return {
    ...{ digest: digest ?? known?.digest ?? image?.id ?? "", sizeBytes: image?.sizeBytes ?? 0 },
    ...(image?.arch !== undefined && { arch: image.arch }),
  };
}

async function archOf(store: ImageStore, digest: string): Promise<{ readonly arch?: string }> {
  const platform = await imagePlatform(store, digest);
  return platform === undefined ? {} : { arch: platform.architecture };
}

/** What the registry has, by one request. `undefined`: it has no such image. */
export async function resolveRemote(
  { ref, name }: { readonly ref: string; readonly name?: string | undefined },
  registry: Registry,
  { platform, now, signal }: { readonly platform: Platform; now(): string; readonly signal: AbortSignal },
): Promise<NonNullable<Resolved> | undefined> {
  const asked: Reference | undefined = isDigest(ref)
    ? name === undefined
      ? undefined
      : { ...parseReference(name), digest: ref }
    : parseReference(ref);
  if (asked === undefined) return undefined;
  const found = await orMissing(registry.manifest(asked, signal));
  if (found === undefined) return undefined;
  const read = readManifest(found.bytes);
  if (read === undefined) throw new PloyzError({ code: "image_invalid", message: `${ref} is not an image` });
  const at = isDigest(ref) ? {} : { at: now() };
  if (read.kind === "index")
    return {
      ...{ digest: forPlatform(read, platform, ref).digest, sizeBytes: 0, arch: platform.architecture },
      ...at,
    };
  const config = await configOf(registry, asked, read.config, signal);
  return {
    ...{ digest: found.digest, sizeBytes: read.layers.reduce((sum, { size }) => sum + size, 0), ...at },
    ...(config !== undefined && { arch: config.architecture }),
  };
}

/** A manifest that is in no index does not name its platform: its configuration does. */
async function configOf(
  registry: Registry,
  asked: Reference,
  { digest, size }: { readonly digest: string; readonly size: number },
  signal: AbortSignal,
): Promise<Platform | undefined> {
  if (size > MAX_MANIFEST_BYTES) return undefined;
  const stream = (await registry.blob(asked, digest, 0, signal)) as AsyncIterable<Buffer>;
  const bytes = await readAtMost(stream, size);
  if (bytes === undefined || `sha256:${createHash("sha256").update(bytes).digest("hex")}` !== digest)
    throw new PloyzError({
      code: "image_blob_corrupt",
      message: `${asked.registry} answered something else for the configuration ${digest}`,
      hint: "try again: it was changed on its way, or the registry is damaged",
    });
  return configPlatform(bytes);
}

export async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PloyzError && error.code === "image_missing") return undefined;
    throw error;
  }
}

/** `undefined`: an engine's short id, or no name at all. */
function reference(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
