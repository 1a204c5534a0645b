export type { CallOptions } from "./call.ts";
export {
  interpretProbe,
  type ProbeOutput,
  probeZfs,
  type ZfsCapabilities,
  type ZfsFeature,
  type ZfsProbe,
} from "./capabilities.ts";
export type { EnsureDatasetOptions, EnsureDatasetResult, ReadOptions } from "./datasets.ts";
export type { DestroyOptions } from "./destroy.ts";
export type { ZfsErrorCode } from "./error-codes.ts";
export { ensureZfsFuse, type ZfsFuseOptions, type ZfsFuseResult } from "./fuse.ts";
export type { HoldOptions, Holds } from "./holds.ts";
export { checkDatasetName, checkPoolName, checkSnapshotName } from "./names.ts";
export type { Dataset, PoolHealth, PoolRow, PropertyTable, PropertyValue } from "./parse.ts";
export type { FilePoolOptions, PoolStatus } from "./pools.ts";
export type { SettableProperties } from "./properties.ts";
export type { Received, ReceiveOptions } from "./receive.ts";
export type { RenameOptions } from "./rename.ts";
export type { RollbackOptions } from "./rollback.ts";
export type { EstimateOptions, Sending, SendOptions } from "./send.ts";
export type { Created, SnapshotOptions } from "./snapshots.ts";
export { openZfs, type Zfs } from "./zfs.ts";
