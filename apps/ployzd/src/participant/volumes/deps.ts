import type { Readable } from "node:stream";
import type { Machines, ObservedSnapshot, VolumeIdentity } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Dataset } from "@ployz/zfs";
import type { Retention } from "../../config/load.ts";
import { PloyzError } from "../../error-codes.ts";
import { usesOf } from "../labels.ts";
import type { Pool } from "./copies.ts";
import type { Copy } from "./layout.ts";
import type { Storage } from "./storage.ts";

/** Dependencies of the volume commands. */
export interface VolumeDeps {
  readonly self: string;
  readonly storage: Storage;
  readonly runtime: Pick<Runtime, "kind" | "list" | "images" | "ownerIn">;
  readonly retention: Retention;
  /** Serialises work on one volume, including an instance's start on it. */
  inTurn<T>(id: string, task: () => Promise<T>): Promise<T>;
  now(): number;
  log(error: unknown): void;
}

/** Additional dependencies of transfers. */
export interface PullDeps extends VolumeDeps {
  readonly machines: Machines;
  /** Fetches an offered stream from another machine's transfer port. */
  fetch(machine: string, token: string, signal: AbortSignal): Promise<Readable>;
}

/** @throws PloyzError `dataset_foreign`: another operation's copy, or another volume's. */
export function checkMine(copy: Copy, operation: string, identity?: VolumeIdentity): void {
  const other =
    identity !== undefined && (copy.namespace !== identity.namespace || copy.name !== identity.name);
  if (!other && copy.operation === operation) return;
  throw new PloyzError({
    code: "dataset_foreign",
    message: other
      ? `volume ${copy.id} is ${copy.namespace}/${copy.name} here, not ${identity.namespace}/${identity.name}`
      : `the copy of ${copy.id} on this machine belongs to operation ${copy.operation}, not to this one`,
    hint: "list the operations: ployzctl ops ls",
  });
}

/** The instance that runs on the volume, if any. One that waits for its restart counts. */
export async function userOf(
  runtime: Pick<Runtime, "list">,
  id: string,
  except?: string,
): Promise<string | undefined> {
  const listed = await runtime.list();
  return listed.find(
    (one) =>
      one.id !== except && one.state === "running" && usesOf(one.labels).some((volume) => volume.id === id),
  )?.id;
}

/** @throws PloyzError `volume_in_use`. */
export async function checkUnused(
  runtime: Pick<Runtime, "list">,
  id: string,
  except?: string,
): Promise<void> {
  const user = await userOf(runtime, id, except);
  if (user === undefined) return;
  throw new PloyzError({
    code: "volume_in_use",
    message: `${user} runs on volume ${id}`,
    hint: "stop it first",
    details: { instance: user },
  });
}

/** Oldest first. Without user properties, which would take four times as long. */
export const snapshotsOf = ({ zfs }: Pool, name: string): Promise<readonly Dataset[]> =>
  zfs.listSnapshots(name, { userProperties: [] });

export const snapshotName = ({ name }: Pick<Dataset, "name">): string => name.slice(name.indexOf("@") + 1);

export function observedSnapshot(snapshot: Dataset): ObservedSnapshot {
  return {
    name: snapshotName(snapshot),
    guid: snapshot.guid,
    createdAt: new Date(snapshot.createdAt).toISOString(),
    usedBytes: snapshot.usedBytes,
    referencedBytes: snapshot.referencedBytes,
  };
}
