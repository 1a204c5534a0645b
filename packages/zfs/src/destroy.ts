import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import { listIdentities } from "./datasets.ts";
import { PloyzError } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import type { Dataset } from "./parse.ts";
import { withUnmounted } from "./unmounted.ts";

/** How much to destroy. */
export interface DestroyOptions extends CallOptions {
  /** Also destroys the filesystems and snapshots below it, never clones elsewhere. */
  readonly recursive?: boolean;
  /** Destroys only the dataset that has this guid. Always give it when the name comes from a plan. */
  readonly guid?: string;
}

/**
 * Destroys a filesystem or snapshot. `absent` when it does not exist.
 * @throws PloyzError `guid_mismatch`, `has_dependents` and `snapshot_held` (named in `details.dependents`), `dataset_busy`; remounts what it unmounted.
 */
export async function destroyDataset(
  name: string,
  options: DestroyOptions = {},
): Promise<"destroyed" | "absent"> {
  const all = await listIdentities(name, options);
  const [target, ...below] = all;
  if (target === undefined) return "absent";
  checkGuid(target, options.guid);
  if (below.length > 0 && options.recursive !== true && target.type !== "snapshot") {
    throw new PloyzError({
      code: "has_dependents",
      message: `${name} has ${below.length} dataset(s) or snapshot(s) below it`,
      hint: "destroy those first, or destroy recursively",
      details: { dependents: below.map((dataset) => dataset.name) },
    });
  }
  checkHolds(all);
  try {
    // FUSE releases a mount only some time after unmount; until then destroy fails with "busy".
    await withUnmounted(
      all,
      () => retryBusy(() => call(argv.destroy(name, options.recursive === true), options), options),
      options,
    );
    return "destroyed";
  } catch (error) {
    if (hasCode(error, "dataset_missing")) return "destroyed"; // another caller finished it
    if (hasCode(error, "dataset_exists")) throw receiving(name, error);
    throw error;
  }
}

/** zfs-fuse's odd wording for a dataset that is receiving an increment. */
function receiving(name: string, cause: unknown): PloyzError {
  return new PloyzError(
    {
      code: "dataset_busy",
      message: `${name} is busy: it is receiving a stream`,
      hint: "wait for the receive to finish, or abort it",
    },
    { cause },
  );
}

/** Before anything is changed: zfs would only say "busy". @throws PloyzError `snapshot_held`. */
export function checkHolds(all: readonly Dataset[]): void {
  const held = all.filter(({ properties }) => Number(properties.get("userrefs")?.value ?? 0) > 0);
  if (held.length === 0) return;
  throw new PloyzError({
    code: "snapshot_held",
    message: `${held.map(({ name }) => name).join(", ")} cannot be destroyed: a hold keeps it`,
    hint: "the holder releases it when it is done; by hand: zfs holds SNAPSHOT, then zfs release TAG SNAPSHOT",
    details: { dependents: held.map(({ name }) => name) },
  });
}

/** @throws PloyzError `guid_mismatch`. */
export function checkGuid(dataset: Dataset, guid: string | undefined): void {
  if (guid === undefined || dataset.guid === guid) return;
  throw new PloyzError({
    code: "guid_mismatch",
    message: `${dataset.name} is not the expected dataset: its guid is ${dataset.guid}, not ${guid}`,
    hint: "it was replaced since the plan was made; run the command again",
  });
}
