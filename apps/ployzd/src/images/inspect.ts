import {
  fullName,
  type ImageStore,
  isDigest,
  parseReference,
  readDetails,
  shortName,
  shownPlatform,
} from "@ployz/images";
import type { ImageDetails } from "@ployz/primitives/protocol";

/** The image of this store that a name, a digest or its beginning names. */
export async function inspectImage(store: ImageStore, ref: string): Promise<ImageDetails | undefined> {
  const entries = await store.entries();
  const digest = await digestOf(store, ref);
  const image = digest === undefined ? undefined : await store.manifest(digest);
  if (digest === undefined || image === undefined) return undefined;
  const { platform, ...config } = readDetails(await store.bytes(image.config.digest));
  return {
    ...{ digest, ...config },
    names: entries.flatMap((entry) =>
      entry.digest === digest && entry.name !== undefined ? [shortName(entry.name)] : [],
    ),
    platform: platform === undefined ? "unknown" : shownPlatform(platform),
    layers: image.layers.map(({ digest: layer, size }) => ({ digest: layer, sizeBytes: size })),
  };
}

async function digestOf(store: ImageStore, ref: string): Promise<string | undefined> {
  if (isDigest(ref)) return (await store.find(ref))?.digest;
  if (ref.startsWith("sha256:"))
    return (await store.entries()).find(({ digest }) => digest.startsWith(ref))?.digest;
  const named = parseReference(ref);
  return (await store.find(named.digest ?? fullName(named)))?.digest;
}
