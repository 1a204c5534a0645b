import { argv } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { requireFeature, type ZfsCapabilities } from "./capabilities.ts";
import { glance, readTables } from "./datasets.ts";
import { checkGuid } from "./destroy.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";

/**
 * Marks a snapshot's point in time, so that it can be the base of a send after the snapshot is destroyed; takes no space. Feature `bookmarks`.
 * @throws PloyzError `feature_missing`, `bookmark_foreign`, `dataset_missing`, `guid_mismatch`.
 */
export async function ensureBookmark(
  capabilities: ZfsCapabilities,
  snapshot: string,
  bookmark: string,
  options: CallOptions & { readonly guid?: string } = {},
): Promise<"created" | "unchanged"> {
  requireFeature(capabilities, "bookmarks", "bookmarks");
  const { guid } = options;
  const marked = await glance(snapshot, [], options);
  checkGuid(marked, guid);
  try {
    await call(argv.bookmark(snapshot, bookmark), options);
    return "created";
  } catch (error) {
    if (!hasCode(error, "dataset_exists")) throw error;
    const found = (await readTables(bookmark, "self", { ...options, only: ["guid"] })).get(bookmark);
    if (found?.get("guid")?.value === marked.guid) return "unchanged";
    throw new PloyzError(
      {
        code: "bookmark_foreign",
        message: `${bookmark} exists and marks another snapshot than ${snapshot}`,
        hint: "choose another name, or destroy the bookmark if it is not needed",
      },
      { cause: error },
    );
  }
}
