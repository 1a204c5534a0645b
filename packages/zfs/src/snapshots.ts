import { PloyzError } from "@ployz/exec";
import { argv } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { findDataset, getDataset, listDatasets } from "./datasets.ts";
import { hasCode } from "./errors.ts";
import { checkSnapshotName, checkUserProperty } from "./names.ts";
import type { Dataset } from "./parse.ts";
import { nativeProperties, type SettableProperties } from "./properties.ts";

export interface SnapshotOptions extends CallOptions {
  /** One atomic snapshot of the whole subtree. */
  readonly recursive?: boolean;
  /** User properties that mark whose snapshot this is. One that exists without them is refused. */
  readonly claim?: Readonly<Record<string, string>>;
}

export interface Created {
  readonly outcome: "created" | "unchanged";
  readonly dataset: Dataset;
}

/** Makes `dataset@name`, or finds the one with the same claim. @throws PloyzError `snapshot_foreign`, `dataset_missing`, `no_space`. */
export async function ensureSnapshot(name: string, options: SnapshotOptions = {}): Promise<Created> {
  checkSnapshotName(name);
  const claim = options.claim ?? {};
  for (const [property, value] of Object.entries(claim)) checkUserProperty(property, value);
  try {
    await call(argv.snapshot(name, claim, options.recursive === true), options);
    return { outcome: "created", dataset: await getDataset(name, options) };
  } catch (error) {
    if (!hasCode(error, "dataset_exists")) throw error;
  }
  const dataset = await getDataset(name, options);
  for (const [property, value] of Object.entries(claim)) {
    if (dataset.user[property] === value) continue;
    throw new PloyzError({
      code: "snapshot_foreign",
      message: `${name} exists and was not made for this: its ${property} is not ${JSON.stringify(value)}`,
      hint: "choose another name, or destroy it if nobody needs it",
    });
  }
  return { outcome: "unchanged", dataset };
}

/** The snapshots of one dataset, oldest first. */
export async function listSnapshots(dataset: string, options: CallOptions = {}): Promise<readonly Dataset[]> {
  const all = await listDatasets(dataset, { ...options, types: ["snapshot"] });
  return all.filter(({ name }) => name.startsWith(`${dataset}@`));
}

/** Makes `target` a clone of `snapshot`, or finds that it is one. @throws PloyzError `dataset_foreign`, `dataset_missing`, … */
export async function ensureClone(
  snapshot: string,
  target: string,
  options: CallOptions & { readonly properties?: SettableProperties } = {},
): Promise<Created> {
  const existing = await findDataset(target, options);
  if (existing === undefined) {
    try {
      await call(argv.clone(snapshot, target, nativeProperties(options.properties ?? {})), options);
      return { outcome: "created", dataset: await getDataset(target, options) };
    } catch (error) {
      if (!hasCode(error, "dataset_exists")) throw error;
    }
  }
  const dataset = existing ?? (await getDataset(target, options));
  if (dataset.origin !== snapshot) {
    throw new PloyzError({
      code: "dataset_foreign",
      message: `${target} exists and is not a clone of ${snapshot}`,
      ...(dataset.origin !== undefined && { details: { origin: dataset.origin } }),
    });
  }
  return { outcome: "unchanged", dataset };
}
