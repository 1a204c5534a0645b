import type { VolumeSpec } from "../model/commit.ts";

/** What the file of an exported volume says of itself. */
export type VolumeFile = {
  /** Id of the cluster that it is from. */
  readonly cluster: string;
  readonly namespace: string;
  readonly volume: string;
  readonly spec: VolumeSpec;
  readonly snapshot: { readonly name: string; readonly guid: string };
  /** The file holds only what has changed since this snapshot of the volume. */
  readonly base?: { readonly name: string; readonly guid: string };
  /** About how many bytes the data is. */
  readonly bytes?: number;
  /** RFC 3339. */
  readonly exportedAt: string;
  /** Of the Ployz that wrote it. */
  readonly version: string;
};

/** A volume that is to be made of a file. */
export type VolumeImportRequest = {
  readonly namespace: string;
  readonly volume: string;
  /** Default: this daemon's machine. */
  readonly machine?: string;
  readonly mode: "preview" | "apply";
  readonly by: string;
};
