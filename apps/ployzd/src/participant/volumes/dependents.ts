import type { Dataset } from "@ployz/zfs";
import { PloyzError } from "../../error-codes.ts";
import type { Pool } from "./copies.ts";

/** `zfs hold`, on a snapshot that is being sent. */
export const isHeld = (snapshot: Dataset): boolean =>
  Number(snapshot.properties.get("userrefs")?.value ?? 0) > 0;

/** The clones of a dataset's snapshots, or of one snapshot, which prevent its destruction. */
export function dependentsOf(name: string, datasets: readonly Dataset[]): readonly string[] {
  const snapshots = name.includes("@")
    ? (origin: string) => origin === name
    : (origin: string) => origin.startsWith(`${name}@`);
  return datasets.flatMap((dataset) =>
    dataset.origin !== undefined && snapshots(dataset.origin) ? [dataset.name] : [],
  );
}

/** Destroys the snapshot unless a clone or a transfer needs it. */
export async function destroyUnlessNeeded(
  { zfs }: Pool,
  snapshot: Dataset,
): Promise<"destroyed" | "absent" | "needed"> {
  if (isHeld(snapshot)) return "needed";
  try {
    return await zfs.destroyDataset(snapshot.name, { guid: snapshot.guid });
  } catch (error) {
    if (neededBy(error) !== undefined) return "needed";
    throw error;
  }
}

/** The dependents named by a failed destroy; `undefined`: it failed for another reason. */
export function neededBy(error: unknown): readonly string[] | undefined {
  if (!(error instanceof PloyzError) || !["has_dependents", "snapshot_held"].includes(error.code))
    return undefined;
  const { dependents } = error.details ?? {};
  return Array.isArray(dependents) && dependents.length > 0 ? dependents.map(String) : [error.message];
}
