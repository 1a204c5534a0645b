import type { VolumeSpec } from "../model/commit.ts";
import type { VolumeIdentity } from "../model/observation.ts";

/** What a machine receives of a volume from another one, and what came: bytes, milliseconds and the common snapshot. */
export type VolumeReceive = {
  args: VolumeIdentity & {
    operation: string;
    source: { machine: string; id: string };
    snapshot: string;
    guid: string;
    bytesPerSecond?: number;
  };
  out: { bytes: number; ms: number; base: string | null };
};

/**
 * Commands about a standby: a retired copy that follows the volume. No instance starts on it, and it is no volume until an operation
 * takes it over.
 */
export interface StandbyCommands {
  /**
   * Makes the standby here hold `snapshot` of the volume on `source.machine`: the difference to the newest snapshot that both have, else
   * all of it. A copy that has diverged is set aside, never overwritten. `volume_in_use` where the copy here is or becomes the volume.
   */
  "volume.follow": VolumeReceive;
  /** Undo of `follow`: removes what this operation has received of a first copy. A copy that is whole stays. */
  "volume.unfollow": { args: { id: string; operation: string }; out: null };
  /** Makes the standby the volume, writable, if its newest snapshot has this guid (`transfer_unverified`). A running `follow` gives way. */
  "volume.takeover": {
    args: VolumeIdentity & { spec: VolumeSpec; operation: string; snapshot: string; guid: string };
    out: { guid: string };
  };
  /** Undo of `takeover`: the copy is a standby again, and holds what it held. */
  "volume.giveback": { args: { id: string; operation: string; snapshot: string; guid: string }; out: null };
  /**
   * Standbys of a volume here are ordinary retired copies from now on, except the one with this id: their retention lets them go.
   * `forget`: machines that keep no standby any more; snapshots that were sent to them are removed here.
   */
  "volume.standdown": {
    args: { namespace: string; name: string; except?: string; forget?: readonly string[] };
    out: null;
  };
}
