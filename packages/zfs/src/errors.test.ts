import { ExecError } from "@ployz/exec";
import { describe, expect, it } from "vitest";
import { zfsError } from "./errors.ts";

const failed = (stderr: string) =>
  zfsError(
    new ExecError({
      code: "exec_failed",
      program: "zfs",
      args: ["x"],
      exitCode: 1,
      stderr,
      message: "zfs failed",
    }),
    "tank/a",
  ) as Error & { code: string; details: { dependents?: string[] } };

describe("messages of zfs and zpool", () => {
  it.each([
    // zfs-fuse 0.7, as measured
    ["cannot create 'tx/a': dataset already exists\n", "dataset_exists"],
    ["cannot create snapshot 'tx/a@s1': dataset already exists\n", "dataset_exists"],
    ["cannot create 'tx/q/b': parent does not exist\n", "parent_missing"],
    ["cannot create 'tz/b': no such pool 'tz'\n", "pool_missing"],
    ["cannot open 'nopool': no such pool\n", "pool_missing"],
    ["cannot import 'nopool': no such pool available\n", "pool_missing"],
    ["cannot open 'tx/none': dataset does not exist\n", "dataset_missing"],
    ["cannot create 'tx/d': invalid property 'bogus'\n", "property_invalid"],
    ["cannot create 'tx/d': bad numeric value 'abc'\n", "property_invalid"],
    [
      "bad property list: invalid property 'nope'\nusage:\n\tget … dataset does not exist\n",
      "property_invalid",
    ],
    [
      "cannot destroy 'tx/a': filesystem has children\nuse '-r' to destroy the following datasets:\ntx/a/b\n",
      "has_dependents",
    ],
    ["cannot destroy 'tx/a@s1': snapshot has dependent clones\n", "has_dependents"],
    ["cannot set property for 'tx/a': size is less than current used or reserved space\n", "quota_exceeded"],
    ["cannot destroy 'tx/a@s1': dataset is busy\nno snapshots destroyed\n", "dataset_busy"],
    [
      "umount: /mnt/x: target is busy.\ncannot unmount '/mnt/x': umount failed: umount child process failed\n",
      "dataset_busy",
    ],
    ["cannot create 'tx/r': out of space\n", "no_space"],
    [
      "cannot mount '/proc/xx': failed to create mountpoint\nfilesystem successfully created, but not mounted\n",
      "mount_failed",
    ],
    [
      "cannot create '1bad': name must begin with a letter\npool name may have been omitted\n",
      "name_invalid",
    ],
    ["cannot create 'mirror': name is reserved\npool name may have been omitted\n", "name_invalid"],
    [
      "invalid vdev specification\nuse '-f' to override the following errors:\n/f.img is part of active pool 'tx'\n",
      "device_in_use",
    ],
    ["cannot create 'ty': one or more devices is less than the minimum size (64M)\n", "device_too_small"],
    [
      "connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running.\ninternal error: failed to initialize ZFS library\n",
      "zfs_unavailable",
    ],
    [
      "cannot import 't': pool may be in use from other system, it was last accessed by m1 (hostid: 0x7f0100) on Mon\nuse '-f' to import anyway\n",
      "pool_in_use",
    ],
    ["cannot mount '/mnt/d': directory is not empty\n", "mount_failed"],
    ["cannot destroy 'tx/a@s1': dataset already exists\n", "dataset_exists"],
    ["cannot create snapshot 'tx/a@s': dataset is busy\n", "dataset_busy"],
    ["cannot hold 'tx/a@s1': tag already exists on this dataset\n", "hold_exists"],
    ["cannot release 'b' from 'tx/a@s1': no such tag on this dataset\n", "hold_missing"],
    [
      "cannot rollback to 'tx/a@s1': more recent snapshots exist\nuse '-r' to force deletion of the following snapshots:\ntx/a@s2\n",
      "newer_snapshots",
    ],
    [
      "cannot rollback to 'tx/a@s1': clones of previous snapshots exist\nuse '-R' to force deletion of the following clones and dependents:\ntx/cl\n",
      "has_dependents",
    ],
    ["cannot promote 'tx/c': conflicting snapshot 's1' from parent 'tx/a@s3'\n", "snapshot_conflict"],
    [
      "cannot rename 'tx/r': dataset already exists\ncannot mount 'tx/r': mountpoint or dataset is busy\n",
      "dataset_exists",
    ],
    ["WARNING: could not send tx/a@none: does not exist\n", "dataset_missing"],
    ["warning: cannot send 'tx/a@s2': incremental source (@none) does not exist\n", "base_missing"],
    ["warning: cannot send 'tx/a@s1': not an earlier snapshot from the same fs\n", "base_missing"],
    ["incremental source must be in same filesystem\nusage:\n\tsend …\n", "base_missing"],
    [
      "cannot receive incremental stream: most recent snapshot of tx/r does not\nmatch incremental source\n",
      "base_missing",
    ],
    [
      "cannot receive incremental stream: destination tx/r has been modified\nsince most recent snapshot\n",
      "destination_modified",
    ],
    [
      "cannot receive new filesystem stream: destination 'tx/r' exists\nmust specify -F to overwrite it\n",
      "destination_exists",
    ],
    ["cannot receive new filesystem stream: invalid backup stream\n", "receive_interrupted"],
    ["cannot receive: failed to read from stream\n", "receive_interrupted"],
    ["cannot receive: invalid stream (bad magic number)\n", "stream_invalid"],
    ["cannot receive new filesystem stream: invalid stream (checksum mismatch)\n", "stream_invalid"],
    ["cannot receive new filesystem stream: out of space\n", "no_space"],
    // OpenZFS 2.x
    ["cannot receive incremental stream: destination 'tank/a' does not exist\n", "base_missing"],
    [
      "cannot receive resume stream: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\n",
      "receive_interrupted",
    ],
    [
      'cannot receive new filesystem stream: destination tank/a contains partially-complete state from "zfs receive -s".\n',
      "destination_partial",
    ],
    ["cannot receive new filesystem stream: destination tank/a space quota exceeded.\n", "quota_exceeded"],
    ["cannot receive: pool must be upgraded to receive this stream.\n", "stream_invalid"],
    [
      "cannot rollback to 'tank/a@s1': more recent snapshots or bookmarks exist\nuse '-r' to force deletion of the following snapshots and bookmarks:\ntank/a@s2\n",
      "newer_snapshots",
    ],
    ["cannot create bookmark 'tank/a#b': bookmark exists\n", "dataset_exists"],
    ["cannot create snapshots : dataset already exists\n", "dataset_exists"],
    [
      "cannot import 'tank': pool was previously in use from another system.\nLast accessed by m1 (hostid=7f0100) at Mon\n",
      "pool_in_use",
    ],
    [
      "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them.\n",
      "zfs_unavailable",
    ],
    ["The ZFS modules cannot be auto-loaded.\n", "zfs_unavailable"],
    ["cannot destroy 'tank/a': dataset is busy\n", "dataset_busy"],
    ["cannot unmount '/tank/a': pool or dataset is busy\n", "dataset_busy"],
    ["cannot export 'tank': pool is busy\n", "dataset_busy"],
    ["cannot destroy 'tank/a': filesystem has dependent clones\n", "has_dependents"],
    ["cannot destroy 'tank/a': filesystem has children\n", "has_dependents"],
    ["could not find any snapshots to destroy; check snapshot names.\n", "dataset_missing"],
    ["cannot create 'tank/a': permission denied\n", "permission_denied"],
    ["cannot create 'tank': pool already exists\n", "pool_exists"],
    ["cannot import 'tank': a pool with that name already exists\n", "pool_exists"],
    ["cannot open 'tank/a b!': invalid character '!' in name\n", "name_invalid"],
    ["cannot set property for 'tank/a': 'atime' must be one of 'on | off'\n", "property_invalid"],
    ["cannot set property for 'tank/a': 'used' is readonly\n", "property_invalid"],
    ["cannot create 'tank/a': pool I/O is currently suspended\n", "pool_faulted"],
    ["cannot import 'tank': insufficient replicas\n", "pool_faulted"],
    ["cannot create snapshot 'tank/a@x': out of space\n", "no_space"],
    ["something new\n", "zfs_failed"],
  ])("%j", (stderr, code) => {
    expect(failed(stderr)).toMatchObject({ code, message: expect.stringContaining("tank/a") });
  });

  it("names the dependents", () => {
    const error = failed(
      "cannot destroy 'tx/a@s1': snapshot has dependent clones\nuse '-R' to destroy the following datasets:\ntx/cl\ntx/cl2\n",
    );
    expect(error.details.dependents).toEqual(["tx/cl", "tx/cl2"]);
  });

  it("names what a rollback would destroy, and says a sentence of two lines in one", () => {
    const error = failed(
      "cannot rollback to 'tx/a@s1': clones of previous snapshots exist\nuse '-R' to force deletion of the following clones and dependents:\ntx/cl\n",
    );
    expect(error.details.dependents).toEqual(["tx/cl"]);
    expect(
      failed("cannot receive: most recent snapshot of tx/r does not\nmatch incremental source\n").message,
    ).toBe("tank/a: cannot receive: most recent snapshot of tx/r does not match incremental source");
  });

  it("leaves time-outs, aborts and bugs as they are", () => {
    const timeout = new ExecError({
      code: "exec_timeout",
      program: "zfs",
      args: [],
      stderr: "",
      message: "slow",
    });
    expect(zfsError(timeout, "x")).toBe(timeout);
    const bug = new TypeError("bug");
    expect(zfsError(bug, "x")).toBe(bug);
  });
});
