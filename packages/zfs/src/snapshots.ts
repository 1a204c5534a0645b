import { argv, type Depth } from "./argv.ts";
import { type CallOptions, call } from "./call.ts";
import { requireFeature, type ZfsCapabilities } from "./capabilities.ts";
import { findDataset, getDataset, type ReadOptions, readTables } from "./datasets.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import { checkSnapshotName, checkUserProperty } from "./names.ts";
import { type Dataset, toDataset } from "./parse.ts";
import { nativeProperties, type SettableProperties } from "./properties.ts";

/** Extent and owner of a snapshot. */
export interface SnapshotOptions extends ReadOptions {
  /** One atomic snapshot of the whole subtree. */
  readonly recursive?: boolean;
  /** User properties that name the snapshot's owner. An existing snapshot without them is refused. */
  readonly claim?: Readonly<Record<string, string>>;
}

/** Whether it was made now, and the snapshot or clone. */
export interface Created {
  readonly outcome: "created" | "unchanged";
  readonly dataset: Dataset;
}

/** Creates `dataset@name`, or finds the one with the same claim. @throws PloyzError `snapshot_foreign`, `dataset_missing`, `no_space`. */
export async function ensureSnapshot(name: string, options: SnapshotOptions = {}): Promise<Created> {
  checkSnapshotName(name);
  const claim = checkedClaim(options);
  const read = withClaim(options);
  try {
    await call(argv.snapshot(name, claim, options.recursive === true), options);
    return { outcome: "created", dataset: await getDataset(name, read) };
  } catch (error) {
    if (!hasCode(error, "dataset_exists")) throw error;
    const dataset = await findDataset(name, read);
    if (dataset === undefined) throw foreign(name, "a descendant has a snapshot of that name", error);
    checkClaim(dataset, claim);
    return { outcome: "unchanged", dataset };
  }
}

/**
 * Creates all of these in one atomic call, of any datasets of one pool. Feature `multi_snapshot`; without it, keep related datasets below
 * one parent and take a recursive snapshot.
 * @throws PloyzError `feature_missing`, `snapshot_foreign` (also when only some exist), `dataset_missing`, `no_space`.
 */
export async function ensureSnapshots(
  capabilities: ZfsCapabilities,
  names: readonly string[],
  options: Omit<SnapshotOptions, "recursive"> = {},
): Promise<{ readonly outcome: Created["outcome"]; readonly datasets: readonly Dataset[] }> {
  requireFeature(capabilities, "multi_snapshot", "atomic snapshot of several datasets");
  const claim = checkedClaim(options);
  const read = withClaim(options);
  const get = () => Promise.all(names.map((name) => getDataset(name, read)));
  try {
    await call(argv.snapshots(names, claim), options);
    return { outcome: "created", datasets: await get() };
  } catch (error) {
    if (!hasCode(error, "dataset_exists")) throw error;
    const found = await Promise.all(names.map((name) => findDataset(name, read)));
    const absent = names.filter((_, index) => found[index] === undefined);
    for (const dataset of found) if (dataset !== undefined) checkClaim(dataset, claim);
    if (absent.length > 0) throw foreign(names.join(", "), `not found: ${absent.join(", ")}`, error);
    return { outcome: "unchanged", datasets: await get() };
  }
}

/** The snapshots of one dataset, oldest first; empty when the dataset does not exist. */
export async function listSnapshots(dataset: string, options: ReadOptions = {}): Promise<readonly Dataset[]> {
  return (await readSnapshots(dataset, "children", options)).filter(({ name }) =>
    name.startsWith(`${dataset}@`),
  );
}

/** The snapshots of a dataset and its descendants; for each dataset oldest first. */
export async function listSnapshotsBelow(
  root: string,
  options: ReadOptions = {},
): Promise<readonly Dataset[]> {
  return readSnapshots(root, "all", options);
}

/** The dataset, with these additional properties, and its snapshots, oldest first, in one call; `undefined`: the dataset does not exist. */
export async function findWithSnapshots(
  name: string,
  properties: readonly string[],
  options: CallOptions,
): Promise<{ readonly dataset: Dataset; readonly snapshots: readonly Dataset[] } | undefined> {
  const tables = await readOrNone(name, "children", { ...options, only: [...NATIVE, ...properties] });
  const itself = tables.get(name);
  if (itself === undefined) return undefined;
  const snapshots = [...tables].filter(([each]) => each.startsWith(`${name}@`));
  return {
    dataset: toDataset(name, itself),
    snapshots: snapshots.map(([each, table]) => toDataset(each, table)),
  };
}

const NATIVE = ["type", "guid", "creation", "used", "referenced", "userrefs"];

async function readSnapshots(
  root: string,
  depth: Depth,
  { userProperties, ...options }: ReadOptions,
): Promise<readonly Dataset[]> {
  for (const name of userProperties ?? []) checkUserProperty(name, "x");
  const only = userProperties && [...NATIVE, ...userProperties];
  const tables = await readOrNone(root, depth, { ...options, ...(only && { only }) });
  return [...tables].flatMap(([name, table]) => (name.includes("@") ? [toDataset(name, table)] : []));
}

async function readOrNone(...read: Parameters<typeof readTables>): ReturnType<typeof readTables> {
  try {
    return await readTables(...read);
  } catch (error) {
    if (hasCode(error, "dataset_missing", "pool_missing")) return new Map();
    throw error;
  }
}

/** Properties read of a snapshot that may have another owner. */
const withClaim = ({ userProperties, claim = {}, ...options }: SnapshotOptions): ReadOptions => ({
  ...options,
  ...(userProperties !== undefined && { userProperties: [...userProperties, ...Object.keys(claim)] }),
});

function checkedClaim({ claim = {} }: SnapshotOptions): Readonly<Record<string, string>> {
  for (const [property, value] of Object.entries(claim)) checkUserProperty(property, value);
  return claim;
}

function checkClaim({ name, user }: Dataset, claim: Readonly<Record<string, string>>): void {
  for (const [property, value] of Object.entries(claim)) {
    if (user[property] !== value) throw foreign(name, `its ${property} is not ${JSON.stringify(value)}`);
  }
}

function foreign(name: string, why: string, cause?: unknown): PloyzError {
  return new PloyzError(
    {
      code: "snapshot_foreign",
      message: `${name} exists and has another owner: ${why}`,
      hint: "choose another name, or destroy it if it is not needed",
    },
    { cause },
  );
}

/** Creates `target` as a clone of `snapshot`, or finds that it is one. @throws PloyzError `dataset_foreign`, `dataset_missing`, … */
export async function ensureClone(
  snapshot: string,
  target: string,
  options: ReadOptions & { readonly properties?: SettableProperties } = {},
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
