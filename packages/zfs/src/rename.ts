import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import { findDataset, getDataset, listIdentities, mount } from "./datasets.ts";
import { checkGuid } from "./destroy.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import { checkName } from "./names.ts";
import { withUnmounted } from "./unmounted.ts";

/** Which dataset, by its guid. */
export interface RenameOptions extends CallOptions {
  /** Renames only the dataset or snapshot with this guid; a retry uses it to recognise a finished rename. */
  readonly guid?: string;
}

/**
 * Renames a filesystem with its descendants, or a snapshot. Unmounts filesystems for it and remounts them at their mountpoint.
 * `unchanged` when `from` does not exist and `to` has the guid.
 * @throws PloyzError `dataset_missing`, `dataset_exists`, `guid_mismatch`, `parent_missing`, `dataset_busy`; `mount_failed` after the rename.
 */
export async function rename(
  from: string,
  to: string,
  options: RenameOptions = {},
): Promise<"renamed" | "unchanged"> {
  checkName(from);
  const target = await findDataset(checkName(to), { ...options, userProperties: [] });
  const all = await listIdentities(from, options);
  const [source] = all;
  if (source === undefined) {
    // The name alone proves nothing.
    if (target !== undefined && options.guid === target.guid) return "unchanged";
    await getDataset(from, options);
    throw new Error(`${from} appeared during the rename`);
  }
  checkGuid(source, options.guid);
  if (from === to) return "unchanged";
  if (target !== undefined) throw taken(from, to);
  try {
    const mounted = await withUnmounted(
      all,
      () => retryBusy(() => call(argv.rename(from, to), options), options),
      options,
    );
    for (const name of mounted) await mount(to + name.slice(from.length), options);
  } catch (error) {
    if (hasCode(error, "dataset_exists")) throw taken(from, to, error);
    throw error;
  }
  return "renamed";
}

function taken(from: string, to: string, cause?: unknown): PloyzError {
  return new PloyzError(
    {
      code: "dataset_exists",
      message: `cannot rename ${from} to ${to}: that name exists`,
      hint: "check the existing dataset; if it is no longer needed, rename it first",
    },
    { cause },
  );
}
