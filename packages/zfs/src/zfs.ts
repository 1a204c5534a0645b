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

  createFilePool(options: pools.FilePoolOptions): ReturnType<typeof pools.createFilePool>;
  importPool(name: string, dir: string, options?: CallOptions): ReturnType<typeof pools.importPool>;
  exportPool: typeof pools.exportPool;
  destroyPool(
    name: string,
    options: CallOptions & { readonly guid: string },
  ): ReturnType<typeof pools.destroyPool>;
  poolStatus(name: string, options?: CallOptions): ReturnType<typeof pools.poolStatus>;
  listPools(options?: CallOptions): ReturnType<typeof pools.listPools>;

  findDataset: typeof datasets.findDataset;
  getDataset: typeof datasets.getDataset;
  listDatasets: typeof datasets.listDatasets;
  ensureDataset: typeof datasets.ensureDataset;
  setProperties: typeof datasets.setProperties;
  unsetProperty: typeof datasets.unsetProperty;
  mount: typeof datasets.mount;
  unmount: typeof datasets.unmount;
  destroyDataset: typeof destroy.destroyDataset;

  ensureSnapshot: typeof snapshots.ensureSnapshot;
  ensureSnapshots(
    names: readonly string[],
    options?: Omit<snapshots.SnapshotOptions, "recursive">,
  ): ReturnType<typeof snapshots.ensureSnapshots>;
  listSnapshots: typeof snapshots.listSnapshots;
  listSnapshotsBelow: typeof snapshots.listSnapshotsBelow;
  ensureBookmark(
    snapshot: string,
    bookmark: string,
    options?: CallOptions & { readonly guid?: string },
  ): ReturnType<typeof ensureBookmark>;
  ensureClone: typeof snapshots.ensureClone;
  promote: typeof promote;
  rollback: typeof rollback;
  rename: typeof rename;
  hold(snapshot: string, tag: string, options?: holds.HoldOptions): ReturnType<typeof holds.hold>;
  release(snapshot: string, tag: string, options?: holds.HoldOptions): ReturnType<typeof holds.release>;
  listHolds(snapshot: string, options?: CallOptions): ReturnType<typeof holds.listHolds>;

  send(options: sending.SendOptions): sending.Sending;
  estimateSend(options: sending.EstimateOptions): ReturnType<typeof sending.estimateSend>;
  receive(options: receiving.ReceiveOptions): ReturnType<typeof receiving.receive>;
  resumeToken: typeof resuming.resumeToken;
  resumesTo(token: string, options?: CallOptions): ReturnType<typeof resuming.resumesTo>;
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
