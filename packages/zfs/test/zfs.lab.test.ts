import { mkdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import {
  identify,
  isAlive,
  openServiceHost,
  type ServiceHost,
  signalProcess,
  spawnStream,
  stopS6,
  waitFor,
} from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { firstVolume } from "../examples/volume.ts";
import { ensureZfsFuse, openZfs, probeZfs, type Zfs } from "../src/index.ts";

const MIB = 1024 * 1024;
const code = (text: string) => expect.objectContaining({ code: text });

if (process.env.PLOYZ_ZFS_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

let services: ServiceHost;
let zfs: Zfs;

beforeAll(async () => {
  services = await openServiceHost({ kind: "s6", dir: "/run/services", logDir: "/run/log" });
});
afterAll(() => stopS6("/run/services"));

// In order: each group starts from what the one before left.
describe("zfs-fuse", () => {
  it("says that it has only to be started", async () => {
    expect(await probeZfs()).toMatchObject({
      available: false,
      startable: true,
      reason: expect.stringContaining("not running"),
    });
    await expect(openZfs()).rejects.toEqual(code("zfs_unavailable"));
  });

  it("starts in spite of a stale pid file, once", async () => {
    await writeFile("/run/zfs/zfs-fuse.pid", "999999\n");
    expect(await ensureZfsFuse({ services })).toMatchObject({ outcome: "started" });
    expect(await ensureZfsFuse({ services })).toMatchObject({ outcome: "unchanged" });
    zfs = await openZfs();
    expect(zfs.capabilities).toMatchObject({ implementation: "zfs-fuse", poolVersion: 23 });
  });
});

describe("pools", () => {
  const file = "/mnt/pool.img";
  const pool = { name: "lab", file, sizeBytes: 256 * MIB };

  it("are made on a sparse file, once", async () => {
    expect(await zfs.createFilePool(pool)).toBe("created");
    expect(await zfs.createFilePool(pool)).toBe("unchanged");
    const { blocks, size } = await stat(file);
    expect([size, blocks * 512 < 32 * MIB]).toEqual([256 * MIB, true]);
    const status = await zfs.poolStatus("lab");
    expect(status).toMatchObject({ health: "ONLINE", devices: [file] });
    expect(status.sizeBytes).toBe(status.usedBytes + status.freeBytes);
    expect(status.freeBytes).toBeGreaterThan(200 * MIB);
    expect((await zfs.listPools()).map(({ name, guid }) => [name, guid])).toEqual([["lab", status.guid]]);
  });

  it("come back from their file", async () => {
    const { guid } = await zfs.poolStatus("lab");
    expect(await zfs.exportPool("lab")).toBe("exported");
    expect(await zfs.exportPool("lab")).toBe("absent");
    await expect(zfs.poolStatus("lab")).rejects.toEqual(code("pool_missing"));
    expect(await zfs.createFilePool(pool)).toBe("imported");
    expect((await zfs.poolStatus("lab")).guid).toBe(guid);
  });

  it("finish an interrupted creation", async () => {
    await writeFile("/mnt/half.img", "");
    await truncate("/mnt/half.img", 128 * MIB);
    expect(await zfs.createFilePool({ name: "half", file: "/mnt/half.img", sizeBytes: 128 * MIB })).toBe(
      "created",
    );
    const { guid } = await zfs.poolStatus("half");
    await expect(zfs.destroyPool("half", { guid: "1" })).rejects.toEqual(code("guid_mismatch"));
    expect(await zfs.destroyPool("half", { guid })).toBe("destroyed");
    expect(await zfs.destroyPool("half", { guid })).toBe("absent");
  });

  it("never take over a file or a pool that is something else", async () => {
    await writeFile("/mnt/precious", Buffer.alloc(65 * MIB, "x"));
    const other = { name: "other", sizeBytes: 128 * MIB };
    await expect(zfs.createFilePool({ ...other, file: "/mnt/precious" })).rejects.toEqual(
      code("file_in_use"),
    );
    expect((await readFile("/mnt/precious")).equals(Buffer.alloc(65 * MIB, "x"))).toBe(true);
    await expect(zfs.createFilePool({ ...pool, file: "/mnt/elsewhere.img" })).rejects.toEqual(
      code("pool_exists"),
    );
    await expect(zfs.createFilePool({ ...other, file })).rejects.toEqual(code("file_in_use"));
    await expect(zfs.createFilePool({ ...other, file: "/mnt/o.img", sizeBytes: MIB })).rejects.toEqual(
      code("pool_options_invalid"),
    );
    await expect(zfs.createFilePool({ ...other, file: "relative.img" })).rejects.toEqual(
      code("pool_options_invalid"),
    );
  });
});

describe("datasets", () => {
  const claim = { "ployz:volume": "prod/pgdata" };
  const properties = { mountpoint: "/mnt/pgdata", quotaBytes: 16 * MIB };

  it("are made, changed only where they differ, and found again", async () => {
    await zfs.ensureDataset("lab/ployz", { properties: { mountpoint: "none", atime: false } });
    const first = await zfs.ensureDataset("lab/ployz/pgdata", { claim, properties });
    expect(first).toMatchObject({
      outcome: "created",
      dataset: {
        mounted: true,
        mountpoint: "/mnt/pgdata",
        quotaBytes: 16 * MIB,
        user: claim,
        recordsizeBytes: 131_072,
      },
    });
    expect(await zfs.ensureDataset("lab/ployz/pgdata", { claim, properties })).toMatchObject({
      outcome: "unchanged",
      dataset: { guid: first.dataset.guid },
    });
    expect(
      await zfs.ensureDataset("lab/ployz/pgdata", {
        claim,
        properties: { ...properties, quotaBytes: "none" },
      }),
    ).toMatchObject({ outcome: "changed", dataset: { guid: first.dataset.guid } });
    expect((await zfs.getDataset("lab/ployz/pgdata")).quotaBytes).toBeUndefined();
    expect((await zfs.listDatasets("lab")).map(({ name }) => name)).toEqual([
      "lab",
      "lab/ployz",
      "lab/ployz/pgdata",
    ]);
    expect(await zfs.listDatasets("lab/none")).toEqual([]);
    expect(await zfs.findDataset("nopool/x")).toBeUndefined();
  });

  it("of another owner are refused, also when the claim is only inherited", async () => {
    const theirs = { claim: { "ployz:volume": "prod/other" } };
    await expect(zfs.ensureDataset("lab/ployz/pgdata", theirs)).rejects.toEqual(code("dataset_foreign"));
    await zfs.ensureDataset("lab/ployz/pgdata/child", { properties: { mountpoint: "none" } });
    await expect(zfs.ensureDataset("lab/ployz/pgdata/child", { claim })).rejects.toEqual(
      code("dataset_foreign"),
    );
    expect((await zfs.getDataset("lab/ployz/pgdata/child")).user).toEqual({});
    await zfs.destroyDataset("lab/ployz/pgdata/child");
  });

  it("made by four callers at once are one", async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => zfs.ensureDataset("lab/ployz/race", { claim })));
    expect(new Set(made.map(({ dataset }) => dataset.guid)).size).toBe(1);
    await zfs.destroyDataset("lab/ployz/race");
  });

  it("seen before their creator has set its claim are the creator's", async () => {
    const name = "lab/ployz/early";
    await zfs.ensureDataset(name);
    const second = zfs.ensureDataset(name, { claim });
    await zfs.setProperties(name, { user: claim });
    expect((await second).dataset.user).toMatchObject(claim);
    await zfs.destroyDataset(name);
  });

  it("hold no more than their quota", async () => {
    await zfs.setProperties("lab/ployz/pgdata", { quotaBytes: 16 * MIB });
    await expect(writeFile("/mnt/pgdata/big", Buffer.alloc(20 * MIB, "y"))).rejects.toMatchObject({
      errno: -122, // EDQUOT
    });
    await expect(zfs.setProperties("lab/ployz/pgdata", { quotaBytes: 1 * MIB })).rejects.toEqual(
      code("quota_exceeded"),
    );
    await expect(
      zfs.ensureDataset("lab/ployz/huge", { properties: { reservationBytes: 1024 * MIB } }),
    ).rejects.toEqual(code("no_space"));
    expect(await zfs.findDataset("lab/ployz/huge")).toBeUndefined();
  });

  it("errors name the cause", async () => {
    await expect(zfs.ensureDataset("lab/no/such")).rejects.toEqual(code("parent_missing"));
    await expect(zfs.ensureDataset("nopool/x")).rejects.toEqual(code("pool_missing"));
    await expect(zfs.getDataset("lab/none")).rejects.toEqual(code("dataset_missing"));
    await expect(zfs.setProperties("lab/ployz", { sync: "always" })).rejects.toEqual(
      code("property_invalid"),
    );
    await expect(zfs.ensureDataset("lab/m", { properties: { mountpoint: "/proc/no" } })).rejects.toEqual(
      code("mount_failed"),
    );
    await zfs.destroyDataset("lab/m");
  });

  it("are mounted and unmounted once", async () => {
    expect(await zfs.mount("lab/ployz/pgdata")).toBe("unchanged");
    expect(await zfs.unmount("lab/ployz/pgdata")).toBe("unmounted");
    expect(await zfs.unmount("lab/ployz/pgdata")).toBe("unchanged");
    expect(await zfs.ensureDataset("lab/ployz/pgdata", { claim })).toMatchObject({ outcome: "changed" });
    expect(await zfs.mount("lab/ployz/pgdata")).toBe("unchanged");
  });

  it("in use are not destroyed, and stay mounted", async () => {
    const holder = spawnStream("sh", ["-c", "echo in; exec cat"], { cwd: "/mnt/pgdata" });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    await zfs.ensureDataset("lab/ployz/pgdata/child", { properties: { mountpoint: "/mnt/child" } });
    const start = performance.now();
    await expect(zfs.destroyDataset("lab/ployz/pgdata", { recursive: true })).rejects.toEqual(
      code("dataset_busy"),
    );
    expect(performance.now() - start).toBeLessThan(10_000);
    expect((await zfs.listDatasets("lab/ployz/pgdata")).map(({ mounted }) => mounted)).toEqual([true, true]);
    holder.stdin.end();
    await holder.done;
  });

  it("are destroyed only with the right guid, and with descendants only on request", async () => {
    const { guid } = await zfs.getDataset("lab/ployz/pgdata");
    await expect(zfs.destroyDataset("lab/ployz/pgdata", { guid: "7", recursive: true })).rejects.toEqual(
      code("guid_mismatch"),
    );
    await expect(zfs.destroyDataset("lab/ployz/pgdata", { guid })).rejects.toMatchObject({
      code: "has_dependents",
      details: { dependents: ["lab/ployz/pgdata/child"] },
    });
    expect(await zfs.destroyDataset("lab/ployz/pgdata", { guid, recursive: true })).toBe("destroyed");
    expect(await zfs.destroyDataset("lab/ployz/pgdata", { guid, recursive: true })).toBe("absent");
  });

  it("just written to are destroyed at once, again and again", async () => {
    for (let round = 0; round < 8; round++) {
      await zfs.ensureDataset("lab/ployz/quick", { properties: { mountpoint: "/mnt/quick" } });
      await writeFile("/mnt/quick/file", Buffer.alloc(MIB, round));
      expect(await zfs.destroyDataset("lab/ployz/quick")).toBe("destroyed");
    }
  });
});

describe("snapshots and clones", () => {
  it("are made once, recognised by their claim, and keep their contents", async () => {
    await zfs.ensureDataset("lab/ployz/data", { properties: { mountpoint: "/mnt/data" } });
    await writeFile("/mnt/data/row", "one");
    const claim = { "ployz:commit": "c1" };
    const snapshot = await zfs.ensureSnapshot("lab/ployz/data@c1", { claim });
    expect(snapshot.outcome).toBe("created");
    await writeFile("/mnt/data/row", "two");
    expect(await zfs.ensureSnapshot("lab/ployz/data@c1", { claim })).toMatchObject({
      outcome: "unchanged",
      dataset: { guid: snapshot.dataset.guid, type: "snapshot" },
    });
    await expect(
      zfs.ensureSnapshot("lab/ployz/data@c1", { claim: { "ployz:commit": "c2" } }),
    ).rejects.toEqual(code("snapshot_foreign"));
    const properties = { mountpoint: "/mnt/clone" };
    expect(await zfs.ensureClone("lab/ployz/data@c1", "lab/ployz/clone", { properties })).toMatchObject({
      outcome: "created",
      dataset: { origin: "lab/ployz/data@c1" },
    });
    expect(await zfs.ensureClone("lab/ployz/data@c1", "lab/ployz/clone")).toMatchObject({
      outcome: "unchanged",
    });
    await expect(zfs.ensureClone("lab/ployz/data@c1", "lab/ployz")).rejects.toEqual(code("dataset_foreign"));
    expect(await readFile("/mnt/clone/row", "utf8")).toBe("one");
    expect((await zfs.listSnapshots("lab/ployz/data")).map(({ name }) => name)).toEqual([
      "lab/ployz/data@c1",
    ]);
  });

  it("with clones are not destroyed, and the clones are named", async () => {
    const { guid } = await zfs.getDataset("lab/ployz/data@c1");
    await expect(zfs.destroyDataset("lab/ployz/data@c1", { guid })).rejects.toMatchObject({
      code: "has_dependents",
      details: { dependents: ["lab/ployz/clone"] },
    });
    await expect(zfs.destroyDataset("lab/ployz/data", { recursive: true })).rejects.toEqual(
      code("has_dependents"),
    );
    expect((await zfs.getDataset("lab/ployz/data")).mounted).toBe(true);
    await zfs.destroyDataset("lab/ployz/clone");
    await zfs.destroyDataset("lab/ployz/data@c1", { guid });
    expect(await zfs.destroyDataset("lab/ployz/data@c1", { guid })).toBe("absent");
  });
});

describe("a killed zfs-fuse", () => {
  it("is started again, its dead mounts are replaced, and synced data is kept", async () => {
    await writeFile("/mnt/data/kept", "safe", { flush: true });
    const { pid = 0 } = await services.status("ployz-zfs-fuse");
    const identity = await identify(pid);
    if (identity === undefined) throw new Error("zfs-fuse does not run");
    await signalProcess(identity, "SIGKILL");
    await waitFor("it to die", async () => ((await isAlive(identity)) ? undefined : true), {
      timeoutMs: 5_000,
    });
    await ensureZfsFuse({ services });
    expect(await readFile("/mnt/data/kept", "utf8")).toBe("safe");
    expect((await zfs.poolStatus("lab")).health).toBe("ONLINE");
    expect(await ensureZfsFuse({ services })).toMatchObject({ outcome: "unchanged", remounted: [] });
  });
});

describe("a power cut", () => {
  it("that loses zfs-fuse's pool cache costs nothing: the pool is imported from its file", async () => {
    const { guid } = await zfs.poolStatus("lab");
    await services.stop("ployz-zfs-fuse"); // even a clean end leaves the pool marked as in use
    await rm("/var/lib/zfs/zpool.cache", { force: true });
    await ensureZfsFuse({ services });
    expect(await zfs.createFilePool({ name: "lab", file: "/mnt/pool.img", sizeBytes: 256 * MIB })).toBe(
      "imported",
    );
    expect((await zfs.poolStatus("lab")).guid).toBe(guid);
    await zfs.ensureDataset("lab/ployz/data");
    expect(await readFile("/mnt/data/kept", "utf8")).toBe("safe");
  });

  it("after which something lies in a mountpoint is reported, and ZFS works", async () => {
    await zfs.unmount("lab/ployz/data");
    await writeFile("/mnt/data/in-the-way", "");
    await services.stop("ployz-zfs-fuse");
    expect(await ensureZfsFuse({ services })).toMatchObject({
      outcome: "started",
      warning: expect.stringContaining("/mnt/data"),
    });
    await expect(zfs.ensureDataset("lab/ployz/data")).rejects.toEqual(code("mount_failed"));
    await rm("/mnt/data/in-the-way");
    expect(await zfs.ensureDataset("lab/ployz/data")).toMatchObject({ dataset: { mounted: true } });
  });
});

describe("the README", () => {
  it("shows an example that works, twice", async () => {
    await mkdir("/mnt/example");
    const first = await firstVolume("/mnt/example", "/run/services");
    expect(first).toMatchObject({ outcome: "created", mounted: true });
    expect(await firstVolume("/mnt/example", "/run/services")).toEqual({ ...first, outcome: "unchanged" });
  });
});
