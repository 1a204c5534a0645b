import { PloyzError } from "@ployz/exec";
import { argv } from "./argv.ts";
import { type CallOptions, call, retryBusy } from "./call.ts";
import { listIdentities } from "./datasets.ts";
import { hasCode } from "./errors.ts";
import type { Dataset } from "./parse.ts";
import { withUnmounted } from "./unmounted.ts";

export interface DestroyOptions extends CallOptions {
  /** Also what is below it: filesystems and snapshots. Never clones elsewhere. */
  readonly recursive?: boolean;
  /** Destroys only the dataset that has this guid. Always give it when the name comes from a plan. */
  readonly guid?: string;
}

/**
 * Destroys a filesystem or snapshot. `absent` when there is none of that name.
 * @throws PloyzError `guid_mismatch`, `has_dependents` and `snapshot_held` (named in `details.dependents`), `dataset_busy`; what was unmounted is mounted again.
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
      hint: "destroy those first, or ask for all of it",
      details: { dependents: below.map((dataset) => dataset.name) },
    });
  }
  checkHolds(all);
  try {
    // FUSE lets go of a mount only some time after unmount, which destroy then meets as "busy".
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

/** An odd word of zfs-fuse for a dataset that just receives an increment. */
function receiving(name: string, cause: unknown): PloyzError {
  return new PloyzError(
    {
      code: "dataset_busy",
      message: `${name} is busy: something is received into it`,
      hint: "wait for it, or end it",
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
    message: `${held.map(({ name }) => name).join(", ")} may not be destroyed: somebody holds on to it`,
    hint: "what holds it releases it when it is done; by hand: zfs release TAG SNAPSHOT",
    details: { dependents: held.map(({ name }) => name) },
  });
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
