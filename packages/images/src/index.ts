export type { ImagesErrorCode } from "./error-codes.ts";
export { forPlatform, type ImageManifest, type Platform, readManifest } from "./manifest.ts";
export { type BlobSource, completeImage, takeManifest } from "./pull.ts";
export { fullName, isDigest, parseReference, type Reference, shortName } from "./reference.ts";
export { type Credentials, openRegistry, type Registry } from "./registry/client.ts";
export { getOver } from "./registry/http.ts";
export { registryHandler } from "./serve.ts";
export type { Entry } from "./store/index-file.ts";
export { type ImageStore, openImageStore } from "./store/store.ts";
