import { PloyzError } from "@ployz/exec";
import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import { listDatasets, mount, unmount } from "./datasets.ts";
import { hasCode } from "./errors.ts";
import type { Dataset } from "./parse.ts";

export interface DestroyOptions extends CallOptions {
  /** Also what is below it: filesystems and snapshots. Never clones elsewhere. */
  readonly recursive?: boolean;
  /** Destroys only the dataset that has this guid. Always give it when the name comes from a plan. */
  readonly guid?: string;
}

/**
 * Destroys a filesystem or snapshot. `absent` when there is none of that name.
 * @throws PloyzError `guid_mismatch`, `has_dependents` (named in `details.dependents`), `dataset_busy`; what was unmounted is mounted again.
 */
export async function destroyDataset(
  name: string,
  options: DestroyOptions = {},
): Promise<"destroyed" | "absent"> {
  const all = await listDatasets(name, { ...options, types: ["filesystem", "volume", "snapshot"] });
  const [target, ...below] = all;
  if (target === undefined) return "absent";
  checkGuid(target, options.guid);
  if (below.length > 0 && options.recursive !== true && target.type !== "snapshot") {
    throw new PloyzError({
      code: "has_dependents",
      message: `${name} has ${below.length} dataset(s) or snapshot(s) below it`,
      hint: "destroy those first, or ask for all of it",
      details: { dependents: below.map((dataset) => dataset.name) },
    });
  }
  const unmounted: string[] = [];
  try {
    // Deepest first. FUSE lets go of a mount only some time after unmount, which destroy then meets as "busy".
    for (const dataset of all.filter(({ mounted }) => mounted).reverse()) {
      if ((await unmount(dataset.name, options)) === "unmounted") unmounted.push(dataset.name);
    }
    await retryBusy(() => call(argv.destroy(name, options.recursive === true), options), options);
    return "destroyed";
  } catch (error) {
    if (hasCode(error, "dataset_missing")) return "destroyed"; // another caller finished it
    for (const dataset of unmounted.reverse()) await mount(dataset).catch(() => {}); // the first error is the one to report
    throw error;
  }
}

/** @throws PloyzError `guid_mismatch`. */
export function checkGuid(dataset: Dataset, guid: string | undefined): void {
  if (guid === undefined || dataset.guid === guid) return;
  throw new PloyzError({
    code: "guid_mismatch",
    message: `${dataset.name} is another one than expected: its guid is ${dataset.guid}, not ${guid}`,
    hint: "it was replaced since the plan was made; run the command again",
  });
}
