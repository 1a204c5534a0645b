export { type NormalManifest, normalise } from "./manifest/normalise.ts";
export {
  bundlePaths,
  checkManifest,
  MAX_MANIFEST_BYTES,
  type ManifestResult,
  parseManifest,
} from "./manifest/parse.ts";
export { instanceRevision, specRevision } from "./manifest/revision.ts";
export { type Manifest, ManifestSchema } from "./manifest/schema.ts";
