import { PloyzError } from "./error-codes.ts";
import { isDigest } from "./reference.ts";

/** Media types of the OCI image specification and of Docker's image manifest v2, schema 2. */
export const MEDIA = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  config: "application/vnd.oci.image.config.v1+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** What a request for a manifest accepts: a registry must not convert to the obsolete schema 1. */
export const ACCEPTED = [MEDIA.manifest, MEDIA.dockerManifest, MEDIA.index, MEDIA.dockerList];

/** More is no manifest: registries refuse them too. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

export interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
}
/** What an image runs on, by Go's names: `linux`, `amd64`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}
export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly (Descriptor & { readonly platform?: Platform })[];
}

type Raw = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Raw =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a manifest or an index. `undefined`: it is neither, for example a configuration. @throws PloyzError `image_invalid` */
export function readManifest(bytes: Uint8Array): ImageManifest | ImageIndex | undefined {
  const raw = parsed(bytes);
  if (raw === undefined) return undefined;
  if (raw.schemaVersion === 1)
    throw invalid(
      "its manifest has the obsolete schema 1",
      "build it with a present builder and push it again",
    );
  if (raw.schemaVersion !== 2) return undefined;
  const mediaType = typeof raw.mediaType === "string" ? raw.mediaType : undefined;
  if (Array.isArray(raw.manifests))
    return {
      kind: "index",
      mediaType: mediaType ?? MEDIA.index,
      manifests: raw.manifests.map((entry: unknown) => {
        const { platform } = isObject(entry) ? entry : {};
        const { os, architecture } = isObject(platform) ? platform : {};
        return {
          ...descriptor(entry),
          ...(typeof os === "string" &&
            typeof architecture === "string" && { platform: { os, architecture } }),
        };
      }),
    };
  if (!isObject(raw.config) || !Array.isArray(raw.layers)) return undefined;
  const layers = raw.layers.map(descriptor);
  const foreign = layers.find(({ mediaType: type }) => type.includes("foreign"));
  if (foreign !== undefined) throw invalid(`its layer ${foreign.digest} is not distributed by registries`);
  return { kind: "manifest", mediaType: mediaType ?? MEDIA.manifest, config: descriptor(raw.config), layers };
}

/** The index's manifest for this platform. @throws PloyzError `image_platform_missing`, naming both sides */
export function forPlatform(index: ImageIndex, wanted: Platform, ref: string): Descriptor {
  const has = index.manifests.flatMap(({ platform }) =>
    platform === undefined || platform.os === "unknown" ? [] : [shownPlatform(platform)],
  );
  const found = index.manifests.find(
    ({ platform }) => platform !== undefined && shownPlatform(platform) === shownPlatform(wanted),
  );
  if (found !== undefined) return found;
  throw new PloyzError({
    code: "image_platform_missing",
    message: `${ref} has no variant for ${shownPlatform(wanted)}, only for ${[...new Set(has)].join(", ") || "none"}`,
    hint: "build it for that platform too, or constrain the service to machines of another one",
  });
}

/** The platform in an image's configuration. */
export function configPlatform(config: Uint8Array): Platform | undefined {
  const { os, architecture } = parsed(config) ?? {};
  return typeof os === "string" && typeof architecture === "string" ? { os, architecture } : undefined;
}

/** The digests of a configuration's unpacked layers, in order. */
export function diffIds(config: Uint8Array): readonly string[] {
  const { rootfs } = parsed(config) ?? {};
  const ids = isObject(rootfs) && Array.isArray(rootfs.diff_ids) ? rootfs.diff_ids : [];
  return ids.filter((id: unknown): id is string => typeof id === "string");
}

/** `linux/amd64`. */
export const shownPlatform = ({ os, architecture }: Platform): string => `${os}/${architecture}`;

/** Everything that an image needs beside its manifest, each once. */
export function contentOf({ config, layers }: ImageManifest): readonly Descriptor[] {
  return [...new Map([config, ...layers].map((one) => [one.digest, one])).values()];
}

/** @throws PloyzError `image_invalid` */
export function descriptor(raw: unknown): Descriptor {
  const { digest, size, mediaType } = isObject(raw) ? raw : {};
  if (typeof digest !== "string" || !isDigest(digest) || !Number.isSafeInteger(size) || Number(size) < 0)
    throw invalid("a descriptor in its manifest is malformed");
  return { digest, size: Number(size), mediaType: typeof mediaType === "string" ? mediaType : "" };
}

function parsed(bytes: Uint8Array): Raw | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function invalid(why: string, hint = "pull or build the image again"): PloyzError {
  return new PloyzError({ code: "image_invalid", message: `the image is not usable: ${why}`, hint });
}
