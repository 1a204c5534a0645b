import type { CallOptions } from "./call.ts";
import type { ZfsCapabilities } from "./capabilities.ts";
import { findDataset } from "./datasets.ts";
import { PloyzError, type ZfsErrorCode } from "./error-codes.ts";
import { hasCode } from "./errors.ts";
import type { Dataset } from "./parse.ts";
import { findWithSnapshots, listSnapshots } from "./snapshots.ts";
import type { StreamHeader } from "./stream-header.ts";

/** The state of a stream's destination. */
export interface Destination {
  readonly exists: boolean;
  /** Oldest first. */
  readonly snapshots: readonly Dataset[];
  /** Holds the first part of an interrupted stream. */
  readonly partial: boolean;
}

export async function lookAt(
  { features }: ZfsCapabilities,
  dataset: string,
  options: CallOptions,
): Promise<Destination> {
  const resumable = features.has("resume_tokens") ? ["receive_resume_token"] : [];
  const found = await findWithSnapshots(dataset, resumable, options);
  const token = found?.dataset.properties.get("receive_resume_token")?.value ?? "-";
  return {
    exists: found !== undefined,
    snapshots: found?.snapshots ?? [],
    partial: token !== "-" && token !== "",
  };
}

/** Refuses, before anything changes, streams that zfs would refuse half way or that would overwrite existing data. */
export function checkDestination(
  dataset: string,
  { exists, snapshots, partial }: Destination,
  { snapshot, guid, baseGuid }: StreamHeader,
  { force }: { readonly force?: "rollback-to-base" },
): void {
  if (guid === undefined || partial) return; // a stream of several snapshots does not name a base; zfs checks that and a resumed stream
  if (baseGuid === undefined) {
    if (!exists) return;
    throw new PloyzError({
      code: "destination_exists",
      message: `${dataset} exists, and ${snapshot} was sent in full`,
      hint: "receive into another name, or send from a snapshot that both sides have",
    });
  }
  const at = snapshots.findIndex((one) => one.guid === baseGuid);
  if (at === -1) throw baseMissing(dataset, snapshot, baseGuid);
  if (force !== undefined && at < snapshots.length - 1) throw newer(dataset, snapshots.slice(at + 1));
}

/** Distinguishes causes that zfs reports with the same message. */
export async function explain(
  failure: unknown,
  dataset: string,
  { baseGuid }: StreamHeader,
): Promise<unknown> {
  // zfs-fuse reports a missing base, OpenZFS a modified destination.
  const newest = hasCode(failure, "base_missing") || hasCode(failure, "destination_modified");
  if (newest && baseGuid !== undefined) {
    const snapshots = await listSnapshots(dataset, { userProperties: [] });
    const at = snapshots.findIndex(({ guid }) => guid === baseGuid);
    return at === -1 ? failure : newer(dataset, snapshots.slice(at + 1), failure);
  }
  if (hasCode(failure, "dataset_missing")) {
    return again(failure, "parent_missing", `${dataset}: its parent does not exist`);
  }
  if (hasCode(failure, "no_space") && (await limited(dataset))) {
    return again(failure, "quota_exceeded", `${dataset}: a parent's quota leaves no room for the stream`);
  }
  return failure;
}

/** Old ZFS says "out of space" for a quota as well: then a parent dataset has less room than the pool. */
async function limited(dataset: string): Promise<boolean> {
  const parts = dataset.split("/");
  const above = await Promise.all(
    parts.map((_, count) => findDataset(parts.slice(0, count + 1).join("/"), { userProperties: [] })),
  );
  const rooms = above.flatMap((one) => one?.availableBytes ?? []);
  return (rooms.at(-1) ?? 0) < (rooms[0] ?? 0);
}

function baseMissing(dataset: string, snapshot: string, baseGuid: string): PloyzError {
  return new PloyzError({
    code: "base_missing",
    message: `${dataset} has no snapshot with guid ${baseGuid}, from which ${snapshot} was sent`,
    hint: "send from a snapshot that both sides have, or send in full",
  });
}

function newer(dataset: string, snapshots: readonly Dataset[], cause?: unknown): PloyzError {
  const names = snapshots.map(({ name }) => name);
  return new PloyzError(
    {
      code: "destination_modified",
      message: `${dataset} changed since the snapshot that the stream starts from${names.length > 0 ? `: ${names.join(", ")}` : ""}`,
      hint: "rename it and send in full, or roll it back if its newer content is not needed",
      details: { snapshots: names },
    },
    { cause },
  );
}

function again(failure: PloyzError, code: ZfsErrorCode, message: string): PloyzError {
  const { hint, details } = failure;
  return new PloyzError(
    { code, message, ...(hint !== undefined && { hint }), ...(details !== undefined && { details }) },
    { cause: failure },
  );
}
