import { ManifestSchema } from "./schema.ts";

/** The text of `schema/ployz.schema.json`. Formatted as Biome does, or the two would fight. */
export function publishedSchema(): string {
  return `${JSON.stringify(ManifestSchema, null, 2)}\n`;
}
