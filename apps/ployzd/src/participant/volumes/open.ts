import type { Commands } from "@ployz/primitives";
import type { Handlers } from "../handlers.ts";
import type { InstanceVolumes } from "../instances.ts";
import { localEffects } from "./effects.ts";
import { contentOf } from "./layout.ts";
import { pruneEffect } from "./prune.ts";
import { pullEffect } from "./pull.ts";
import { settlingEffects } from "./settle.ts";
import { ownerOf, withVolumes } from "./use.ts";
import type { PullWorld, VolumeWorld } from "./world.ts";

type VolumeCommands = Extract<keyof Commands, `volume.${string}`>;

/** Volumes of this machine over ZFS: what operations ask. */
export function volumeHandlers(world: PullWorld): Pick<Handlers, VolumeCommands> {
  return { ...localEffects(world), ...pullEffect(world), ...settlingEffects(world), ...pruneEffect(world) };
}

/** The same volumes: what instances need. `mounts`: the folder of the mountpoints. */
export function instanceVolumes(world: VolumeWorld, mounts: string): InstanceVolumes {
  return {
    path: (id) => contentOf({ mounts }, id),
    use: ({ id, volumes = [], ...start }, task) =>
      withVolumes(world, { id, volumes, owner: () => ownerOf(world.runtime, start) }, task),
    remountedAt: (id) => world.storage.remountedAt(id),
  };
}
