import { ManifestSchema } from "./schema.ts";

/** The content of `schema/ployz.schema.json`, before the formatter. */
export function publishedSchema(): string {
  return `${JSON.stringify(ManifestSchema, null, 2)}\n`;
}
