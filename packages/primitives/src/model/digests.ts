import type { Json } from "./json.ts";

const DIGEST = /\b[0-9a-f]{64}\b/g;

/** Every SHA-256 digest in a record, as `sha256:…`, sorted: the images and bundles that it names, and perhaps more. */
export function digestsIn(record: Json): readonly string[] {
  const found = JSON.stringify(record).match(DIGEST) ?? [];
  return [...new Set(found)].sort().map((hex) => `sha256:${hex}`);
}
