import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import { glance, mount } from "./datasets.ts";
import { checkGuid, checkHolds } from "./destroy.ts";
import { PloyzError } from "./error-codes.ts";
import { listSnapshots } from "./snapshots.ts";
import { withUnmounted } from "./unmounted.ts";

/** Which snapshot, and what may be lost. */
export interface RollbackOptions extends CallOptions {
  /** Guid of the snapshot. */
  readonly guid?: string;
  /** Destroys newer snapshots. Without it, newer snapshots make the call fail with `newer_snapshots`. */
  readonly destroyNewer?: boolean;
}

/**
 * Replaces the filesystem's content with the snapshot's. Unmounts it meanwhile, so that no process continues with stale data; refuses a
 * dataset in use.
 * @throws PloyzError `dataset_missing`, `guid_mismatch`, `newer_snapshots`, `snapshot_held`, `has_dependents` (clones of newer ones), `dataset_busy`.
 */
export async function rollback(snapshot: string, options: RollbackOptions = {}): Promise<void> {
  checkGuid(await glance(snapshot, [], options), options.guid);
  const [name = ""] = snapshot.split("@");
  const all = await listSnapshots(name, { ...options, userProperties: [] });
  const newer = all.slice(all.findIndex((one) => one.name === snapshot) + 1);
  if (newer.length > 0 && options.destroyNewer !== true) {
    throw new PloyzError({
      code: "newer_snapshots",
      message: `${name} has ${newer.length} snapshot(s) newer than ${snapshot}, which a rollback would destroy`,
      hint: "clone the snapshot instead, or destroy the newer ones with the rollback",
      details: { dependents: newer.map((one) => one.name) },
    });
  }
  checkHolds(newer);
  const mounted = await withUnmounted(
    [await glance(name, ["mounted"], options)],
    () => retryBusy(() => call(argv.rollback(snapshot, options.destroyNewer === true), options), options),
    options,
  );
  for (const one of mounted) await mount(one, options);
}

/**
 * Makes a clone independent: the snapshots up to its origin become its own, and the former origin becomes its clone.
 * @throws PloyzError `snapshot_conflict` (both have a snapshot of one name), `guid_mismatch`, `dataset_missing`, `no_space`.
 */
export async function promote(
  name: string,
  options: CallOptions & { readonly guid?: string } = {},
): Promise<"promoted" | "unchanged"> {
  const dataset = await glance(name, ["origin"], options);
  checkGuid(dataset, options.guid);
  if (dataset.origin === undefined) return "unchanged";
  await retryBusy(() => call(argv.promote(name), options), options);
  return "promoted";
}
