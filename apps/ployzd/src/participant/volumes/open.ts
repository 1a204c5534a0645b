import type { Commands } from "@ployz/primitives/protocol";
import type { Handlers } from "../handlers.ts";
import type { InstanceVolumes } from "../instances.ts";
import type { PullDeps, VolumeDeps } from "./deps.ts";
import { localEffects } from "./effects.ts";
import { contentOf } from "./layout.ts";
import { pruneEffect } from "./prune.ts";
import { pullEffect } from "./pull.ts";
import { settlingEffects } from "./settle.ts";
import { standbyEffects } from "./standby.ts";
import { ownerOf, withVolumes } from "./use.ts";

type VolumeCommands = Extract<keyof Commands, `volume.${string}`>;

/** The handlers of operations' volume commands, over ZFS. */
export function volumeHandlers(deps: PullDeps): Pick<Handlers, VolumeCommands> {
  return {
    ...localEffects(deps),
    ...pullEffect(deps),
    ...standbyEffects(deps),
    ...settlingEffects(deps),
    ...pruneEffect(deps),
  };
}

/** The volume functions that instances need. `mounts`: the parent folder of the mountpoints. */
export function instanceVolumes(deps: VolumeDeps, mounts: string): InstanceVolumes {
  return {
    path: (id) => contentOf({ mounts }, id),
    use: ({ id, volumes = [], ...start }, task) =>
      withVolumes(deps, { id, volumes, owner: () => ownerOf(deps.runtime, { id, ...start }) }, task),
    remountedAt: (id) => deps.storage.remountedAt(id),
  };
}
