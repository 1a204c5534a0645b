export { type Archived, readArchive } from "./archive.ts";
export { type ImageConfig, imageConfig } from "./config.ts";
export { type ConfigDetails, readDetails } from "./details.ts";
export type { ImagesErrorCode } from "./error-codes.ts";
export { chainIds } from "./layers/chain.ts";
export { openFolderLayers } from "./layers/folders.ts";
export { openUnpackedImages, type UnpackedImages } from "./layers/images.ts";
export { lowestFirst } from "./layers/sort.ts";
export type { Layer, LayerStore, Root } from "./layers/store.ts";
export { unpackLayer } from "./layers/unpack.ts";
export { within } from "./layers/within.ts";
export {
  configPlatform,
  forPlatform,
  MAX_MANIFEST_BYTES,
  type Platform,
  readManifest,
  shownPlatform,
} from "./manifest.ts";
export { type BlobSource, completeImage, takeManifest } from "./pull.ts";
export { readAtMost } from "./read.ts";
export { fullName, isDigest, parseReference, type Reference, shortName } from "./reference.ts";
export { type Credentials, openRegistry, type Registry, type RegistryHost } from "./registry/client.ts";
export { getOver, type Trust } from "./registry/http.ts";
export { registryHandler } from "./serve.ts";
export type { Collected, Collector, Unneeded } from "./store/collect.ts";
export type { Entry } from "./store/index-file.ts";
export { contentSize, type ImageStore, imagePlatform, openImageStore, otherDigest } from "./store/store.ts";
