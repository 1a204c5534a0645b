import { argv } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import type { ZfsCapabilities } from "./capabilities.ts";
import { findDataset, getDataset, glance } from "./datasets.ts";
import { checkGuid } from "./destroy.ts";
import { hasCode } from "./errors.ts";
import { checkHoldTag } from "./names.ts";
import type { Dataset } from "./parse.ts";

/** Which snapshot, by its guid. */
export interface HoldOptions extends CallOptions {
  /** Only on the snapshot that has this guid. */
  readonly guid?: string;
}

/** The holds of one snapshot. */
export interface Holds {
  /** Sorted. */
  readonly tags: readonly string[];
  /** Number of further holds whose tags are unknown: set by hand on zfs-fuse, which cannot list holds. 0 with the feature `list_holds`. */
  readonly unnamed: number;
}

/** Where holds cannot be listed, each is also recorded as a user property, from before it is set until it is released. */
const NOTE = "ployz.hold:";

/** The snapshot cannot be destroyed until the tag is released. @throws PloyzError `dataset_missing`, `guid_mismatch`. */
export async function hold(
  capabilities: ZfsCapabilities,
  snapshot: string,
  tag: string,
  options: HoldOptions = {},
): Promise<"held" | "unchanged"> {
  checkHoldTag(tag);
  if (options.guid !== undefined) checkGuid(await glance(snapshot, [], options), options.guid);
  if (!capabilities.features.has("list_holds")) await call(argv.set(snapshot, NOTE + tag, "1"), options);
  try {
    await call(argv.hold(snapshot, tag), options);
    return "held";
  } catch (error) {
    if (hasCode(error, "hold_exists")) return "unchanged";
    throw error;
  }
}

/** `unchanged` when it is not held by that tag, or is gone. @throws PloyzError `guid_mismatch`. */
export async function release(
  capabilities: ZfsCapabilities,
  snapshot: string,
  tag: string,
  options: HoldOptions = {},
): Promise<"released" | "unchanged"> {
  checkHoldTag(tag);
  const dataset = await findDataset(snapshot, { ...options, userProperties: [NOTE + tag] });
  if (dataset === undefined) return "unchanged";
  checkGuid(dataset, options.guid);
  const outcome = await call(argv.release(snapshot, tag), options).then(
    () => "released" as const,
    (error: unknown) => {
      if (hasCode(error, "hold_missing", "dataset_missing")) return "unchanged" as const;
      throw error;
    },
  );
  if (!capabilities.features.has("list_holds") && dataset.user[NOTE + tag] !== undefined) {
    await call(argv.inherit(snapshot, NOTE + tag), options);
  }
  return outcome;
}

/** @throws PloyzError `dataset_missing`. */
export async function listHolds(
  capabilities: ZfsCapabilities,
  snapshot: string,
  options: CallOptions = {},
): Promise<Holds> {
  if (capabilities.features.has("list_holds")) {
    return { tags: parseHolds((await call(argv.holds(snapshot), options)).stdout), unnamed: 0 };
  }
  return notedHolds(await getDataset(snapshot, options));
}

/** The second column of `zfs holds -H`. */
export function parseHolds(text: string): readonly string[] {
  return text
    .split("\n")
    .flatMap((line) => line.split("\t")[1] ?? [])
    .sort();
}

function notedHolds(snapshot: Dataset): Holds {
  const count = Number(snapshot.properties.get("userrefs")?.value ?? 0);
  const noted = Object.keys(snapshot.user)
    .filter((property) => property.startsWith(NOTE))
    .map((property) => property.slice(NOTE.length))
    .sort();
  const tags = count === 0 ? [] : noted;
  return { tags, unnamed: Math.max(0, count - tags.length) };
}
