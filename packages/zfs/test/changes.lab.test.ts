import { readFile, writeFile } from "node:fs/promises";
import { run, spawnStream } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Zfs } from "../src/index.ts";
import { startZfs } from "./start-zfs.ts";

const MIB = 1024 * 1024;
const code = (text: string) => expect.objectContaining({ code: text });

let zfs: Zfs;
let stop = async () => {};
beforeAll(async () => {
  ({ zfs, stop } = await startZfs({ changes: 256 * MIB }));
  await zfs.ensureDataset("changes/prod", { properties: { mountpoint: "none" } });
  for (const name of ["db", "files"]) {
    await zfs.ensureDataset(`changes/prod/${name}`, { properties: { mountpoint: `/mnt/${name}` } });
  }
});
afterAll(() => stop());

const guidOf = async (name: string) => (await zfs.getDataset(name)).guid;

/** A process that works in the folder until it is stopped. */
async function inUse(cwd: string): Promise<() => Promise<unknown>> {
  const holder = spawnStream("sh", ["-c", "echo in; exec cat"], { cwd });
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  return () => {
    holder.stdin.end();
    return holder.done;
  };
}

// In order: each group starts from what the one before left.
describe("a recursive snapshot", () => {
  const claim = { "ployz:commit": "c1" };

  it("is of one moment for a whole environment, and made once", async () => {
    await writeFile("/mnt/db/row", "one");
    await writeFile("/mnt/files/row", "one");
    expect(await zfs.ensureSnapshot("changes/prod@c1", { recursive: true, claim })).toMatchObject({
      outcome: "created",
    });
    const made = await zfs.listSnapshotsBelow("changes/prod", { userProperties: ["ployz:commit"] });
    expect(made.map(({ name, user }) => [name, user])).toEqual(
      ["changes/prod@c1", "changes/prod/db@c1", "changes/prod/files@c1"].map((name) => [name, claim]),
    );
    // In ZFS, "atomic" means one transaction group for all.
    const { stdout } = await run("zdb", ["-d", "changes"]);
    const groups = [...stdout.matchAll(/@c1 \[ZPL\], ID \d+, cr_txg (\d+)/g)].map(([, group]) => group);
    expect([groups.length, new Set(groups).size]).toEqual([3, 1]);
    expect(await zfs.ensureSnapshot("changes/prod@c1", { recursive: true, claim })).toMatchObject({
      outcome: "unchanged",
    });
  });

  it("is refused when a descendant has a snapshot of that name, and makes none", async () => {
    await zfs.ensureSnapshot("changes/prod/files@c2");
    await expect(zfs.ensureSnapshot("changes/prod@c2", { recursive: true, claim })).rejects.toEqual(
      code("snapshot_foreign"),
    );
    expect(await zfs.findDataset("changes/prod/db@c2")).toBeUndefined();
    await zfs.destroyDataset("changes/prod/files@c2");
  });

  it("of any datasets, and bookmarks, are made where ZFS has them, and refused by name elsewhere", async () => {
    const both = ["changes/prod/db@x", "changes/prod/files@x"];
    const bookmark = () => zfs.ensureBookmark("changes/prod/db@c1", "changes/prod/db#c1");
    if (zfs.capabilities.implementation === "openzfs") {
      expect((await zfs.ensureSnapshots(both)).outcome).toBe("created");
      expect((await zfs.ensureSnapshots(both)).outcome).toBe("unchanged");
      for (const name of both) await zfs.destroyDataset(name);
      await bookmark();
    } else {
      await expect(zfs.ensureSnapshots(both)).rejects.toEqual(code("feature_missing"));
      await expect(bookmark()).rejects.toEqual(code("feature_missing"));
    }
  });

  it("is listed with what a retention decision needs", async () => {
    await zfs.ensureSnapshot("changes/prod/db@c0", { claim: { "ployz:commit": "c0" } });
    await zfs.ensureDataset("changes/prod/db/child", { properties: { mountpoint: "none" } });
    await zfs.ensureSnapshot("changes/prod/db/child@x");
    const asked = await zfs.listSnapshots("changes/prod/db", { userProperties: ["ployz:commit"] });
    const all = await zfs.listSnapshots("changes/prod/db");
    const facts = ({ name, guid, createdAt, usedBytes, referencedBytes, user }: (typeof all)[number]) => ({
      name,
      guid,
      createdAt,
      usedBytes,
      referencedBytes,
      user,
    });
    expect(asked.map(facts)).toEqual(all.map(facts));
    expect(all.map(({ name, user }) => [name, user["ployz:commit"]])).toEqual([
      ["changes/prod/db@c1", "c1"],
      ["changes/prod/db@c0", "c0"], // by age
    ]);
    expect(all[0]?.createdAt).toBeGreaterThan(Date.now() - 600_000);
    expect(await zfs.listSnapshots("changes/none")).toEqual([]);
    await zfs.destroyDataset("changes/prod/db/child", { recursive: true });
    await zfs.destroyDataset("changes/prod/db@c0");
  });
});

describe("a hold", () => {
  it("keeps a snapshot from being destroyed until it is released", async () => {
    const snapshot = "changes/prod/db@c1";
    const guid = await guidOf(snapshot);
    expect(await zfs.hold(snapshot, "send:m2", { guid })).toBe("held");
    expect(await zfs.hold(snapshot, "send:m2", { guid })).toBe("unchanged");
    expect(await zfs.hold(snapshot, "keep")).toBe("held");
    expect(await zfs.listHolds(snapshot)).toEqual({ tags: ["keep", "send:m2"], unnamed: 0 });
    const refusal = { code: "snapshot_held", details: { dependents: [snapshot] } };
    await expect(zfs.destroyDataset(snapshot)).rejects.toMatchObject(refusal);
    await expect(zfs.destroyDataset("changes/prod", { recursive: true })).rejects.toMatchObject(refusal);
    expect((await zfs.getDataset("changes/prod/db")).mounted).toBe(true);
    expect(await zfs.release(snapshot, "keep")).toBe("released");
    expect(await zfs.release(snapshot, "send:m2")).toBe("released");
    expect(await zfs.release(snapshot, "send:m2")).toBe("unchanged");
    expect(await zfs.listHolds(snapshot)).toEqual({ tags: [], unnamed: 0 });
  });

  it("of another program is counted, of another snapshot refused, of none unchanged", async () => {
    await run("zfs", ["hold", "byhand", "changes/prod/db@c1"]);
    const named = zfs.capabilities.features.has("list_holds");
    const held = named ? { tags: ["byhand"], unnamed: 0 } : { tags: [], unnamed: 1 };
    expect(await zfs.listHolds("changes/prod/db@c1")).toEqual(held);
    expect(await zfs.release("changes/prod/db@c1", "byhand")).toBe("released");
    await expect(zfs.hold("changes/prod/db@c1", "x", { guid: "7" })).rejects.toEqual(code("guid_mismatch"));
    await expect(zfs.release("changes/prod/db@c1", "x", { guid: "7" })).rejects.toEqual(
      code("guid_mismatch"),
    );
    await expect(zfs.hold("changes/prod/db@none", "x")).rejects.toEqual(code("dataset_missing"));
    expect(await zfs.release("changes/prod/db@none", "x")).toBe("unchanged");
  });
});

describe("a rollback", () => {
  it("brings back the snapshot's state, under the mountpoint, as often as it is run", async () => {
    for (const text of ["two", "three"]) {
      await writeFile("/mnt/db/row", text);
      await zfs.rollback("changes/prod/db@c1", { guid: await guidOf("changes/prod/db@c1") });
      expect(await readFile("/mnt/db/row", "utf8")).toBe("one");
    }
  });

  it("destroys newer snapshots only on request, and never held or cloned ones", async () => {
    await writeFile("/mnt/db/row", "two");
    await zfs.ensureSnapshot("changes/prod/db@c2");
    await expect(zfs.rollback("changes/prod/db@c1")).rejects.toMatchObject({
      code: "newer_snapshots",
      details: { dependents: ["changes/prod/db@c2"] },
    });
    await zfs.hold("changes/prod/db@c2", "keep");
    await expect(zfs.rollback("changes/prod/db@c1", { destroyNewer: true })).rejects.toEqual(
      code("snapshot_held"),
    );
    await zfs.release("changes/prod/db@c2", "keep");
    await zfs.ensureClone("changes/prod/db@c2", "changes/clone", { properties: { mountpoint: "none" } });
    await expect(zfs.rollback("changes/prod/db@c1", { destroyNewer: true })).rejects.toMatchObject({
      code: "has_dependents",
      details: { dependents: ["changes/clone"] },
    });
    expect(await readFile("/mnt/db/row", "utf8")).toBe("two");
    await zfs.destroyDataset("changes/clone");
    await zfs.rollback("changes/prod/db@c1", { destroyNewer: true });
    expect(await readFile("/mnt/db/row", "utf8")).toBe("one");
    expect((await zfs.listSnapshots("changes/prod/db")).map(({ name }) => name)).toEqual([
      "changes/prod/db@c1",
    ]);
  });

  it("of a dataset in use, or not the planned one, changes nothing", async () => {
    await writeFile("/mnt/db/row", "two");
    const leave = await inUse("/mnt/db");
    await expect(zfs.rollback("changes/prod/db@c1")).rejects.toEqual(code("dataset_busy"));
    await leave();
    await expect(zfs.rollback("changes/prod/db@c1", { guid: "7" })).rejects.toEqual(code("guid_mismatch"));
    await expect(zfs.rollback("changes/prod/db@none")).rejects.toEqual(code("dataset_missing"));
    expect(await readFile("/mnt/db/row", "utf8")).toBe("two");
  });
});

describe("promote", () => {
  it("swaps who depends on whom, once", async () => {
    await zfs.ensureClone("changes/prod/db@c1", "changes/branch", {
      properties: { mountpoint: "/mnt/branch" },
    });
    const guid = await guidOf("changes/branch");
    expect(await zfs.promote("changes/branch", { guid })).toBe("promoted");
    expect(await zfs.promote("changes/branch", { guid })).toBe("unchanged");
    expect((await zfs.getDataset("changes/branch")).origin).toBeUndefined();
    expect((await zfs.getDataset("changes/prod/db")).origin).toBe("changes/branch@c1");
    expect(await readFile("/mnt/db/row", "utf8")).toBe("two");
    await expect(zfs.promote("changes/branch", { guid: "7" })).rejects.toEqual(code("guid_mismatch"));
  });

  it("with a snapshot name that both have is refused", async () => {
    await zfs.ensureSnapshot("changes/prod/db@c1");
    await expect(zfs.promote("changes/prod/db")).rejects.toEqual(code("snapshot_conflict"));
    await zfs.destroyDataset("changes/prod/db@c1");
    expect(await zfs.promote("changes/prod/db")).toBe("promoted");
    expect((await zfs.getDataset("changes/branch")).origin).toBe("changes/prod/db@c1");
  });
});

describe("a rename", () => {
  it("moves a mounted dataset with its descendants, and a retry recognises that it is done", async () => {
    await zfs.ensureDataset("changes/prod/db/child", { properties: { mountpoint: "/mnt/child" } });
    await writeFile("/mnt/child/row", "c");
    const guid = await guidOf("changes/prod/db");
    expect(await zfs.rename("changes/prod/db", "changes/prod/old", { guid })).toBe("renamed");
    expect(await zfs.rename("changes/prod/db", "changes/prod/old", { guid })).toBe("unchanged");
    expect(await zfs.getDataset("changes/prod/old")).toMatchObject({ guid, mounted: true });
    expect(await readFile("/mnt/child/row", "utf8")).toBe("c");
    expect(await zfs.rename("changes/prod/old@c1", "changes/prod/old@c9")).toBe("renamed");
    expect((await zfs.getDataset("changes/branch")).origin).toBe("changes/prod/old@c9");
    for (let round = 0; round < 6; round++) {
      await writeFile("/mnt/db/round", Buffer.alloc(MIB, round)); // FUSE releases fresh writes slowly
      await zfs.rename("changes/prod/old", "changes/prod/db", { guid });
      await zfs.rename("changes/prod/db", "changes/prod/old", { guid });
    }
  });

  it("is refused when the name is taken, nothing proves that it was done, or something works in it", async () => {
    const guid = await guidOf("changes/prod/old");
    const taken = zfs.rename("changes/prod/old", "changes/prod/files", { guid });
    await expect(taken).rejects.toEqual(code("dataset_exists"));
    await expect(zfs.rename("changes/prod/db", "changes/prod/old")).rejects.toEqual(code("dataset_missing"));
    await expect(zfs.rename("changes/prod/db", "changes/prod/old", { guid: "7" })).rejects.toEqual(
      code("dataset_missing"),
    );
    await expect(zfs.rename("changes/prod/old", "changes/prod/db", { guid: "7" })).rejects.toEqual(
      code("guid_mismatch"),
    );
    await expect(zfs.rename("changes/prod/old", "changes/no/parent")).rejects.toEqual(code("parent_missing"));
    const leave = await inUse("/mnt/db");
    await expect(zfs.rename("changes/prod/old", "changes/prod/db")).rejects.toEqual(code("dataset_busy"));
    await leave();
    const all = await zfs.listDatasets("changes/prod/old");
    expect(all.map(({ name, mounted }) => [name, mounted])).toEqual([
      ["changes/prod/old", true],
      ["changes/prod/old/child", true],
    ]);
  });
});
