import { ensureBookmark } from "./bookmarks.ts";
import type { CallOptions } from "./call.ts";
import { probeZfs, requireAvailable, type ZfsCapabilities } from "./capabilities.ts";
import * as datasets from "./datasets.ts";
import * as destroy from "./destroy.ts";
import * as holds from "./holds.ts";
import * as pools from "./pools.ts";
import * as receiving from "./receive.ts";
import { rename } from "./rename.ts";
import * as resuming from "./resume.ts";
import { promote, rollback } from "./rollback.ts";
import * as sending from "./send.ts";
import * as snapshots from "./snapshots.ts";

/** A working ZFS. `capabilities.features`, probed once, tells the implementations apart. */
export interface Zfs {
  readonly capabilities: ZfsCapabilities;

  /** Makes a pool on a sparse file, imports it from the file, or finds it imported. */
  createFilePool(options: pools.FilePoolOptions): ReturnType<typeof pools.createFilePool>;
  /** Imports a pool whose devices or files are in `dir`, or finds it imported. */
  importPool(name: string, dir: string, options?: CallOptions): ReturnType<typeof pools.importPool>;
  /** Exports a pool; its datasets are unmounted. Repeatable. */
  exportPool: typeof pools.exportPool;
  /** Destroys the pool that has this guid, with everything in it. */
  destroyPool(
    name: string,
    options: CallOptions & { readonly guid: string },
  ): ReturnType<typeof pools.destroyPool>;
  /** Health and space. @throws PloyzError `pool_missing`. */
  poolStatus(name: string, options?: CallOptions): ReturnType<typeof pools.poolStatus>;
  /** Every pool that is imported. */
  listPools(options?: CallOptions): ReturnType<typeof pools.listPools>;

  /** The dataset or snapshot, or `undefined`. */
  findDataset: typeof datasets.findDataset;
  /** The same; it must exist. @throws PloyzError `dataset_missing`. */
  getDataset: typeof datasets.getDataset;
  /** The dataset and those below it. */
  listDatasets: typeof datasets.listDatasets;
  /** Makes a filesystem, or gives an existing one of the same owner these properties. */
  ensureDataset: typeof datasets.ensureDataset;
  /** Sets properties of a dataset; the others stay. */
  setProperties: typeof datasets.setProperties;
  /** Removes a property: it is inherited again. No effect when it was not set. */
  unsetProperty: typeof datasets.unsetProperty;
  /** Mounts a filesystem at its mountpoint. Repeatable. */
  mount: typeof datasets.mount;
  /** Unmounts a filesystem. Repeatable. */
  unmount: typeof datasets.unmount;
  /** Destroys a dataset or snapshot. Already gone is no error. */
  destroyDataset: typeof destroy.destroyDataset;

  /** Makes one snapshot, or finds the one with the same owner. */
  ensureSnapshot: typeof snapshots.ensureSnapshot;
  /** Makes several snapshots of one pool at one moment. */
  ensureSnapshots(
    names: readonly string[],
    options?: Omit<snapshots.SnapshotOptions, "recursive">,
  ): ReturnType<typeof snapshots.ensureSnapshots>;
  /** Snapshots of one dataset, oldest first. */
  listSnapshots: typeof snapshots.listSnapshots;
  /** Snapshots of a dataset and of those below it. */
  listSnapshotsBelow: typeof snapshots.listSnapshotsBelow;
  /** Keeps the place of a snapshot as the base of later increments. */
  ensureBookmark(
    snapshot: string,
    bookmark: string,
    options?: CallOptions & { readonly guid?: string },
  ): ReturnType<typeof ensureBookmark>;
  /** Makes a writable clone of a snapshot, or finds the one with the same owner. */
  ensureClone: typeof snapshots.ensureClone;
  /** Makes a clone independent of its origin: their parts are exchanged. */
  promote: typeof promote;
  /** Puts a dataset back to a snapshot. */
  rollback: typeof rollback;
  /** Renames a filesystem with its descendants, or a snapshot. */
  rename: typeof rename;
  /** Keeps a snapshot from being destroyed. Repeatable. */
  hold(snapshot: string, tag: string, options?: holds.HoldOptions): ReturnType<typeof holds.hold>;
  /** Ends a hold. Repeatable. */
  release(snapshot: string, tag: string, options?: holds.HoldOptions): ReturnType<typeof holds.release>;
  /** The holds of a snapshot. */
  listHolds(snapshot: string, options?: CallOptions): ReturnType<typeof holds.listHolds>;

  /** Starts to send a snapshot: see `SendOptions`. */
  send(options: sending.SendOptions): sending.Sending;
  /** Bytes that `send` will write; `undefined` where this ZFS cannot tell. */
  estimateSend(options: sending.EstimateOptions): ReturnType<typeof sending.estimateSend>;
  /** Receives a stream: see `ReceiveOptions`. */
  receive(options: receiving.ReceiveOptions): ReturnType<typeof receiving.receive>;
  /** The token of an interrupted receive, or `undefined`. */
  resumeToken: typeof resuming.resumeToken;
  /** The snapshot that a token continues. */
  resumesTo(token: string, options?: CallOptions): ReturnType<typeof resuming.resumesTo>;
  /** Discards the partial data of an interrupted receive. */
  abortReceive(dataset: string, options?: CallOptions): ReturnType<typeof resuming.abortReceive>;
}

/** @throws PloyzError `zfs_unavailable` with the reason and the fix. */
export async function openZfs(): Promise<Zfs> {
  const capabilities = requireAvailable(await probeZfs());
  return {
    capabilities,
    findDataset: datasets.findDataset,
    getDataset: datasets.getDataset,
    listDatasets: datasets.listDatasets,
    ensureDataset: datasets.ensureDataset,
    setProperties: datasets.setProperties,
    unsetProperty: datasets.unsetProperty,
    mount: datasets.mount,
    unmount: datasets.unmount,
    destroyDataset: destroy.destroyDataset,
    ensureSnapshot: snapshots.ensureSnapshot,
    ensureSnapshots: (names, options) => snapshots.ensureSnapshots(capabilities, names, options),
    listSnapshots: snapshots.listSnapshots,
    listSnapshotsBelow: snapshots.listSnapshotsBelow,
    ensureBookmark: (snapshot, bookmark, options) =>
      ensureBookmark(capabilities, snapshot, bookmark, options),
    ensureClone: snapshots.ensureClone,
    promote,
    rollback,
    rename,
    hold: (snapshot, tag, options) => holds.hold(capabilities, snapshot, tag, options),
    release: (snapshot, tag, options) => holds.release(capabilities, snapshot, tag, options),
    listHolds: (snapshot, options) => holds.listHolds(capabilities, snapshot, options),
    send: (options) => sending.send(capabilities, options),
    estimateSend: (options) => sending.estimateSend(capabilities, options),
    receive: (options) => receiving.receive(capabilities, options),
    resumeToken: resuming.resumeToken,
    resumesTo: (token, options) => resuming.resumesTo(capabilities, token, options),
    abortReceive: (dataset, options) => resuming.abortReceive(capabilities, dataset, options),
    exportPool: pools.exportPool,
    createFilePool: (options) => pools.createFilePool(capabilities, options),
    importPool: (name, dir, options) => pools.importPool(capabilities, name, dir, options),
    destroyPool: (name, options) => pools.destroyPool(capabilities, name, options),
    poolStatus: (name, options) => pools.poolStatus(capabilities, name, options),
    listPools: (options) => pools.listPools(capabilities, options),
  };
}
