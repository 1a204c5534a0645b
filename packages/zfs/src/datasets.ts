import { argv, type Depth } from "./argv.ts";
import { type Call, type CallOptions, call, retryBusy } from "./call.ts";
import { claimed } from "./claims.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import { checkUserProperty } from "./names.ts";
import { type Dataset, type PropertyTable, parseProperties, toDataset } from "./parse.ts";
import { type NativeProperties, nativeProperties, type SettableProperties, sameValue } from "./properties.ts";

/** Which properties to read. */
export interface ReadOptions extends CallOptions {
  /** Read only these user properties, and the native ones in `ESSENTIAL`: zfs-fuse takes several times as long to list all. */
  readonly userProperties?: readonly string[];
}

/** Native properties that every ZFS has and `Dataset` has a field for, and those that describe a filesystem's use. */
const ESSENTIAL = [
  ...["type", "guid", "creation", "used", "referenced", "available", "origin", "userrefs"],
  ...["mounted", "mountpoint", "canmount", "readonly", "recordsize"],
  ...["quota", "refquota", "reservation", "refreservation"],
];

/** Properties and owner of a dataset. */
export interface EnsureDatasetOptions extends ReadOptions {
  readonly properties?: SettableProperties;
  /**
   * User properties that name the dataset's owner, set in the call that creates it. An existing dataset without them, or with other values,
   * has another owner and is refused.
   */
  readonly claim?: Readonly<Record<string, string>>;
}

/** What had to be done, and the dataset after it. */
export interface EnsureDatasetResult {
  readonly outcome: "created" | "changed" | "unchanged";
  readonly dataset: Dataset;
}

/** The dataset or snapshot, or `undefined`. */
export async function findDataset(name: string, options: ReadOptions = {}): Promise<Dataset | undefined> {
  return find(name, { ...options, ...essential(options) });
}

/** `more`: additional properties to read. */
function essential(
  { userProperties }: ReadOptions,
  more: readonly string[] = [],
): { readonly only?: readonly string[] } {
  for (const name of userProperties ?? []) checkUserProperty(name, "x");
  return userProperties === undefined
    ? {}
    : { only: [...new Set([...ESSENTIAL, ...userProperties, ...more])] };
}

async function find(
  name: string,
  options: CallOptions & { readonly only?: readonly string[] },
): Promise<Dataset | undefined> {
  try {
    const table = (await readTables(name, "self", options)).get(name);
    return table === undefined ? undefined : toDataset(name, table);
  } catch (error) {
    if (hasCode(error, "dataset_missing", "pool_missing")) return undefined;
    throw error;
  }
}

/** @throws PloyzError `dataset_missing`. */
export async function getDataset(name: string, options: ReadOptions = {}): Promise<Dataset> {
  return there(name, await findDataset(name, options));
}

/** Reads only its identity and these properties: fast. */
export async function glance(
  name: string,
  properties: readonly string[],
  options: CallOptions,
): Promise<Dataset> {
  return there(name, await find(name, { ...options, only: ["type", "guid", ...properties] }));
}

function there(name: string, dataset: Dataset | undefined): Dataset {
  if (dataset === undefined) {
    throw new PloyzError({
      code: "dataset_missing",
      message: `there is no ${name.includes("@") ? "snapshot" : "dataset"} ${name} on this machine`,
      hint: "list the existing ones: zfs list",
    });
  }
  return dataset;
}

/** The dataset and everything below it of the given types, parents first. Empty when there is no such dataset. */
export async function listDatasets(
  root: string,
  options: ReadOptions & { readonly types?: readonly Dataset["type"][] } = {},
): Promise<readonly Dataset[]> {
  const types = options.types ?? ["filesystem"];
  // List names first: zfs-fuse would also read the properties of all snapshots, which are many more, and is slow at it.
  for (let attempt = 1; ; attempt++) {
    const names = await namesBelow(root, types, options);
    if (names.length === 0) return [];
    try {
      const read = { ...options, ...essential(options) };
      const tables = await tablesOf((properties) => argv.getOf(properties, names), read);
      return [...tables].map(([name, table]) => toDataset(name, table));
    } catch (error) {
      // One was destroyed or renamed in between.
      if (!hasCode(error, "dataset_missing") || attempt >= LIST_ATTEMPTS) throw error;
    }
  }
}

const LIST_ATTEMPTS = 5;

async function namesBelow(
  root: string,
  types: readonly string[],
  options: CallOptions,
): Promise<readonly string[]> {
  try {
    const { stdout } = await call(argv.names(root, types), options);
    return stdout.split("\n").filter((name) => name !== "");
  } catch (error) {
    if (hasCode(error, "dataset_missing", "pool_missing")) return [];
    throw error;
  }
}

const IDENTITY = ["type", "guid", "mounted", "userrefs"];

/** The dataset or snapshot and its descendants, parents first, with only identity, `mounted` and holds: fast. */
export async function listIdentities(root: string, options: CallOptions): Promise<readonly Dataset[]> {
  try {
    return [...(await readTables(root, "all", { ...options, only: IDENTITY }))]
      .filter(([name]) => !name.includes("#"))
      .map(([name, table]) => toDataset(name, table));
  } catch (error) {
    if (hasCode(error, "dataset_missing", "pool_missing")) return [];
    throw error;
  }
}

/**
 * Creates the filesystem, or sets these properties on the existing one, and mounts it if it has a mountpoint.
 * @throws PloyzError `dataset_foreign` (another claim), `parent_missing`, `pool_missing`, `no_space`, `quota_exceeded`, `mount_failed`, …
 */
export async function ensureDataset(
  name: string,
  options: EnsureDatasetOptions = {},
): Promise<EnsureDatasetResult> {
  const claim = options.claim ?? {};
  for (const [property, value] of Object.entries(claim)) checkUserProperty(property, value);
  const wanted = nativeProperties(options.properties ?? {});
  const compared = essential(options, [...Object.keys(wanted), ...Object.keys(claim)]);
  const read = async () => there(name, await find(name, { ...options, ...compared }));
  const existing = await find(name, { ...options, ...compared });
  if (existing === undefined) {
    try {
      await call(argv.create(name, { ...wanted, ...claim }), options);
      return { outcome: "created", dataset: await read() };
    } catch (error) {
      if (!hasCode(error, "dataset_exists")) throw error; // another caller was faster: continue with its dataset
    }
  }
  const dataset = await claimed(existing ?? (await read()), claim, read, options);
  const changed = await applyProperties(dataset, wanted, options);
  const mounted = await mountIfMeant(changed ? await read() : dataset, options);
  const now = changed || mounted ? await read() : dataset;
  return { outcome: changed || mounted ? "changed" : "unchanged", dataset: now };
}

/**
 * Sets the properties that differ, one call each. Returns whether any did.
 * `target`: a dataset just read, if the caller knows that it has not changed since; given a name, reads the dataset first.
 */
export async function setProperties(
  target: string | Dataset,
  properties: SettableProperties,
  options: CallOptions = {},
): Promise<boolean> {
  const wanted = nativeProperties(properties);
  const dataset = typeof target === "string" ? await glance(target, Object.keys(wanted), options) : target;
  return applyProperties(dataset, wanted, options);
}

/** Back to the inherited value; removes a user property. */
export async function unsetProperty(
  name: string,
  property: string,
  options: CallOptions = {},
): Promise<void> {
  if (property.includes(":")) checkUserProperty(property, "x");
  else if (!/^[a-z]+$/.test(property)) throw new Error(`not a property name: ${property}`);
  await call(argv.inherit(name, property), options);
}

/** Resolves when the filesystem is mounted. @throws PloyzError `mount_failed`, `dataset_missing`. */
export async function mount(name: string, options: CallOptions = {}): Promise<"mounted" | "unchanged"> {
  const isMounted = async () => (await glance(name, ["mounted"], options)).mounted;
  if (await isMounted()) return "unchanged";
  try {
    await call(argv.mount(name), options);
    return "mounted";
  } catch (error) {
    if (await isMounted().catch(() => false)) return "unchanged";
    throw error;
  }
}

/**
 * `target` as with `setProperties`.
 * @throws PloyzError `dataset_busy` when something has files open in it, after a bounded number of attempts.
 */
export async function unmount(
  target: string | Dataset,
  options: CallOptions = {},
): Promise<"unmounted" | "unchanged"> {
  const dataset = typeof target === "string" ? await glance(target, ["mounted"], options) : target;
  if (!dataset.mounted) return "unchanged";
  await retryBusy(() => call(argv.unmount(dataset.name), options), options);
  return "unmounted";
}

/**
 * All properties, or only the requested ones. zfs-fuse's "all" excludes the guid, which a second call reads; a dataset destroyed in between
 * is left out.
 */
export async function readTables(
  name: string,
  depth: Depth,
  options: CallOptions & { readonly only?: readonly string[] },
): Promise<ReadonlyMap<string, PropertyTable>> {
  return tablesOf((properties) => argv.get(properties, name, depth), options);
}

/** zfs-fuse leaves the guid out of "all": detected the first time, and requested explicitly from then on. */
let allHasGuid = true;

async function tablesOf(
  of: (properties: string) => Call,
  options: CallOptions & { readonly only?: readonly string[] },
): Promise<ReadonlyMap<string, PropertyTable>> {
  const read = async (properties: string) => parseProperties((await call(of(properties), options)).stdout);
  if (options.only !== undefined) return read(options.only.join(","));
  const [tables, early] = await Promise.all([read("all"), allHasGuid ? undefined : read("guid")]);
  if ([...tables.values()].every((table) => table.has("guid"))) return tables;
  allHasGuid = false;
  const guids = early ?? (await read("guid"));
  return new Map(
    [...tables].flatMap(([key, table]) => {
      const guid = guids.get(key);
      return guid === undefined ? [] : [[key, new Map([...table, ...guid])] as const];
    }),
  );
}

async function applyProperties(
  dataset: Dataset,
  wanted: NativeProperties,
  options: CallOptions,
): Promise<boolean> {
  let changed = false;
  for (const [property, value] of Object.entries(wanted)) {
    const present = dataset.properties.get(property);
    const inheritable = property.includes(":") && present?.source === "inherited";
    if (sameValue(value, present?.value) && !inheritable) continue;
    await retryBusy(() => call(argv.set(dataset.name, property, value), options), options);
    changed = true;
  }
  return changed;
}

async function mountIfMeant(dataset: Dataset, options: CallOptions): Promise<boolean> {
  if (dataset.mounted || dataset.mountpoint === undefined) return false;
  if (dataset.properties.get("canmount")?.value !== "on") return false;
  return (await mount(dataset.name, options)) === "mounted";
}
