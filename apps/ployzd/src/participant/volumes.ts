import { PloyzError } from "@ployz/exec";
import type { Commands } from "@ployz/primitives";
import type { Handlers } from "./handlers.ts";

type VolumeCommands = Extract<keyof Commands, `volume.${string}`>;

/** Volumes of this machine over ZFS. */
export function volumeHandlers(): Pick<Handlers, VolumeCommands> {
  const refuse = async (): Promise<never> => {
    throw new PloyzError({ code: "zfs_unavailable", message: "this machine has no volumes" });
  };
  return {
    "volume.snapshots": refuse,
    "volume.ensure": refuse,
    "volume.snapshot": refuse,
    "volume.unsnapshot": refuse,
    "volume.clone": refuse,
    "volume.seal": refuse,
    "volume.unseal": refuse,
    "volume.pull": refuse,
    "volume.admit": refuse,
    "volume.discard": refuse,
    "volume.retire": refuse,
    "volume.prune": refuse,
  };
}
