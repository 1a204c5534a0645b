import { PloyzError } from "@ployz/exec";
import { argv, type Depth } from "./argv.ts";
import { type Call, type CallOptions, call, retryBusy } from "./call.ts";
import { hasCode } from "./errors.ts";
import { checkUserProperty } from "./names.ts";
import { type Dataset, type PropertyTable, parseProperties, toDataset } from "./parse.ts";
import { type NativeProperties, nativeProperties, type SettableProperties, sameValue } from "./properties.ts";

export interface ReadOptions extends CallOptions {
  /** Only these user properties, and of ZFS's own those of `ESSENTIAL`: zfs-fuse takes several times as long to say all. */
  readonly userProperties?: readonly string[];
}

/** What every ZFS knows of filesystems and snapshots, and `Dataset` has a field for; and what says how a filesystem is used. */
const ESSENTIAL = [
  ...["type", "guid", "creation", "used", "referenced", "available", "origin", "userrefs"],
  ...["mounted", "mountpoint", "canmount", "readonly", "recordsize"],
  ...["quota", "refquota", "reservation", "refreservation"],
];

export interface EnsureDatasetOptions extends ReadOptions {
  readonly properties?: SettableProperties;
  /**
   * User properties that say whose dataset this is, set in the same call that creates it. A dataset that exists without them, or with
   * other values, belongs to somebody else and is refused.
   */
  readonly claim?: Readonly<Record<string, string>>;
}

export interface EnsureDatasetResult {
  readonly outcome: "created" | "changed" | "unchanged";
  readonly dataset: Dataset;
}

/** The dataset or snapshot, or `undefined`. */
export async function findDataset(name: string, options: ReadOptions = {}): Promise<Dataset | undefined> {
  return find(name, { ...options, ...essential(options) });
}

/** `more`: properties that are needed besides. */
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

/** No more of it than who it is and these properties: quick. */
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
      hint: "zfs list shows what there is",
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
  // Names first: zfs-fuse says the properties of all snapshots too, of which there are many more, and takes its time for it.
  for (let attempt = 1; ; attempt++) {
    const names = await namesBelow(root, types, options);
    if (names.length === 0) return [];
    try {
      const read = { ...options, ...essential(options) };
      const tables = await tablesOf((properties) => argv.getOf(properties, names), read);
      return [...tables].map(([name, table]) => toDataset(name, table));
    } catch (error) {
      // One of them went meanwhile, or has a new name.
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

/** The dataset or snapshot and everything below it, parents first, with no more than who they are, `mounted` and holds: quick. */
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
 * Creates the filesystem, or brings the existing one to these properties, and mounts it if it has a mountpoint.
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
      if (!hasCode(error, "dataset_exists")) throw error; // somebody was faster: go on with theirs
    }
  }
  const dataset = existing ?? (await read());
  checkClaim(dataset, claim);
  const changed = await applyProperties(dataset, wanted, options);
  const mounted = await mountIfMeant(changed ? await read() : dataset, options);
  const now = changed || mounted ? await read() : dataset;
  return { outcome: changed || mounted ? "changed" : "unchanged", dataset: now };
}

/**
 * Sets what differs, one call each, as both implementations do. Returns whether anything did.
 * `target`: a dataset as it was read a moment ago, by who knows that nothing has changed it since; a name is looked at first.
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
 * All properties, or only those asked for. For zfs-fuse "all" does not include the guid, which is then asked for; what vanished in
 * between is left out.
 */
export async function readTables(
  name: string,
  depth: Depth,
  options: CallOptions & { readonly only?: readonly string[] },
): Promise<ReadonlyMap<string, PropertyTable>> {
  return tablesOf((properties) => argv.get(properties, name, depth), options);
}

/** zfs-fuse leaves the guid out of "all": known after the first time, and from then on asked for beside it. */
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

function checkClaim(dataset: Dataset, claim: Readonly<Record<string, string>>): void {
  if (dataset.type !== "filesystem") throw foreign(dataset.name, `it is a ${dataset.type}`);
  for (const [property, value] of Object.entries(claim)) {
    const present = dataset.user[property];
    if (present !== value) {
      throw foreign(
        dataset.name,
        `its ${property} is ${present === undefined ? "not set" : JSON.stringify(present)}, not ${JSON.stringify(value)}`,
      );
    }
  }
}

function foreign(name: string, why: string): PloyzError {
  return new PloyzError({
    code: "dataset_foreign",
    message: `${name} exists and belongs to something else: ${why}`,
    hint: `if it is not needed any more, move it away: zfs rename ${name} ${name}-old`,
  });
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
