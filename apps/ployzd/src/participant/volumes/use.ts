import { chown, readdir } from "node:fs/promises";
import type { InstanceStart } from "@ployz/primitives/protocol";
import { type Runtime, resolveUser } from "@ployz/runtime";
import type { VolumeUse } from "../labels.ts";
import { needCopy, sealed } from "./copies.ts";
import { checkUnused, type VolumeDeps } from "./deps.ts";
import { allInTurn } from "./effects.ts";
import { contentOf } from "./layout.ts";
import { open } from "./mount.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Starts an instance with its volumes held: meanwhile they cannot be sealed or retired, and no other instance can use a single-writer
 * volume.
 * @throws PloyzError `volume_missing`, `volume_sealed`, `volume_in_use`, or the reason why this machine has no volumes.
 */
export async function withVolumes<T>(
  deps: VolumeDeps,
  instance: {
    readonly id: string;
    readonly volumes: readonly VolumeUse[];
    owner(): Promise<Owner | undefined>;
  },
  start: () => Promise<T>,
): Promise<T> {
  const { id, volumes } = instance;
  if (volumes.length === 0) return start();
  const pool = await deps.storage.ready();
  return allInTurn(
    deps,
    volumes.map((volume) => volume.id),
    async () => {
      for (const volume of volumes) {
        const copy = await needCopy(pool, volume.id, deps.self);
        if (copy.state !== "active") throw sealed(copy);
        if (volume.scope === "single") await checkUnused(deps.runtime, volume.id, id);
        await open(pool, copy.dataset.name, volume.id, copy.dataset);
        await giveTo(contentOf(pool.layout, volume.id), instance.owner);
      }
      return start();
    },
  );
}

/** Only while it is empty: existing files keep their owners. */
async function giveTo(folder: string, owner: () => Promise<Owner | undefined>): Promise<void> {
  if ((await readdir(folder)).length > 0) return;
  const user = await owner();
  if (user !== undefined) await chown(folder, user.uid, user.gid);
}

/** The owner of an empty volume. */
export async function ownerOf(
  runtime: Pick<Runtime, "ownerIn">,
  start: Pick<InstanceStart, "id" | "user" | "image">,
): Promise<Owner | undefined> {
  return start.image === undefined
    ? resolveUser(start.user ?? "nobody")
    : runtime.ownerIn?.(start.id, start.image.digest, start.user);
}
