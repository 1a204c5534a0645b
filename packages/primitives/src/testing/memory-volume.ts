import type { VolumeSpec } from "../model/commit.ts";
import type { ObservedVolume, VolumeIdentity } from "../model/observation.ts";

export interface MemorySnapshot {
  readonly guid: string;
  /** What the volume held: the ids of the instances that have written to it. */
  readonly content: readonly string[];
  readonly createdAt: string;
}

/** One copy of a volume on one machine. */
export interface MemoryVolume extends VolumeIdentity {
  state: ObservedVolume["state"];
  spec: VolumeSpec;
  readonly guid: string;
  /** Who made this copy, and who sealed it. */
  readonly operation: string;
  sealedBy: string | undefined;
  retiredAt: string | undefined;
  /** It was a retired copy before this operation received into it. */
  wasRetired: boolean;
  /** It follows the volume: the time up to which it holds it. */
  standby: string | undefined;
  /** Every instance that has run on it, in order: its data. */
  content: readonly string[];
  readonly snapshots: Map<string, MemorySnapshot>;
  /** `machine/id@snapshot` of which it is a clone. */
  readonly origin: string | undefined;
}
