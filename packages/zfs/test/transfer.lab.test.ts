import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { identify, run, signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyVolume } from "../examples/copy.ts";
import type { ReceiveOptions, SendOptions, Zfs } from "../src/index.ts";
import { startZfs } from "./start-zfs.ts";

const MIB = 1024 * 1024;
const code = (text: string) => expect.objectContaining({ code: text });

let zfs: Zfs;
let stop = async () => {};
beforeAll(async () => {
  ({ zfs, stop } = await startZfs({ from: 512 * MIB, to: 512 * MIB, small: 64 * MIB }));
  await zfs.ensureDataset("from/data", { properties: { mountpoint: "/mnt/from" } });
  await writeFile("/mnt/from/big", randomBytes(60 * MIB));
  await zfs.ensureSnapshot("from/data@s1");
  await writeFile("/mnt/from/row", "two");
  await zfs.ensureSnapshot("from/data@s2");
  await writeFile("/mnt/from/row", "three");
  await zfs.ensureSnapshot("from/data@s3");
});
afterAll(() => stop());

const openzfs = () => zfs.capabilities.implementation === "openzfs";

/** Sends and receives at once, as a migration does. */
async function transfer(what: SendOptions, to: Omit<ReceiveOptions, "stream">) {
  const { stream, done } = zfs.send(what);
  const [received] = await Promise.all([zfs.receive({ ...to, stream }), done]);
  return received;
}

const names = async (dataset: string) =>
  (await zfs.listSnapshots(dataset)).map(({ name }) => name.split("@")[1]);
const guidOf = async (name: string) => (await zfs.getDataset(name)).guid;
const full = (options: Partial<SendOptions> = {}) => ({ snapshot: "from/data@s1", ...options });
const increment = (options: Partial<SendOptions> = {}) => ({
  snapshot: "from/data@s2",
  base: "from/data@s1",
  ...options,
});

async function killReceive(dataset: string) {
  const { stdout } = await run("pgrep", ["-f", `^zfs receive -u ${dataset}$`]);
  const identity = await identify(Number(stdout.trim()));
  if (identity === undefined) throw new Error(`nothing is received into ${dataset}`);
  await signalProcess(identity, "SIGKILL");
}

// In order: each group starts from what the one before left.
describe("a transfer", () => {
  it("brings the snapshot, its guid and its bytes, unmounted, with the given properties", async () => {
    const guid = await guidOf("from/data@s1");
    let seen = 0;
    const received = await transfer(full(), {
      dataset: "to/data",
      expect: { snapshot: "s1", guid },
      properties: { mountpoint: "/mnt/to", readonly: true, user: { "ployz:volume": "prod/data" } },
      onProgress: (bytes) => {
        expect(bytes).toBeGreaterThan(seen);
        seen = bytes;
      },
    });
    expect(received).toMatchObject({ outcome: "received", snapshot: { name: "to/data@s1", guid } });
    expect(received.bytes).toBeGreaterThan(60 * MIB);
    expect(seen).toBe(received.bytes);
    const dataset = await zfs.getDataset("to/data");
    expect(dataset).toMatchObject({
      mounted: false,
      mountpoint: "/mnt/to",
      user: { "ployz:volume": "prod/data" },
    });
    await zfs.mount("to/data");
    expect((await readFile("/mnt/to/big")).equals(await readFile("/mnt/from/big"))).toBe(true);
    await zfs.unmount("to/data");
  });

  it("of an existing snapshot changes nothing", async () => {
    const expected = { snapshot: "s1", guid: await guidOf("from/data@s1") };
    for (const expect_ of [expected, undefined]) {
      const { stream } = zfs.send(full());
      expect(
        await zfs.receive({ dataset: "to/data", stream, ...(expect_ && { expect: expect_ }) }),
      ).toMatchObject({ outcome: "unchanged", bytes: 0, snapshot: { guid: expected.guid } });
    }
  });

  it("of an increment brings what changed, and with the snapshots between when asked", async () => {
    const guid = await guidOf("from/data@s2");
    const received = await transfer(increment(), { dataset: "to/data", expect: { snapshot: "s2", guid } });
    expect(received).toMatchObject({ outcome: "received", snapshot: { guid } });
    expect(received.bytes).toBeLessThan(MIB);
    await transfer(full(), { dataset: "to/all" });
    const last = { snapshot: "s3", guid: await guidOf("from/data@s3") };
    await transfer(increment({ snapshot: "from/data@s3", intermediates: true }), {
      dataset: "to/all",
      expect: last,
    });
    expect(await names("to/all")).toEqual(["s1", "s2", "s3"]);
    expect(await guidOf("to/all@s3")).toBe(last.guid);
    await zfs.destroyDataset("to/all", { recursive: true });
  });

  it("is estimated as far as this ZFS knows", async () => {
    const bytes = await zfs.estimateSend({ snapshot: "from/data@s1" });
    expect(bytes).toBeGreaterThan(60 * MIB);
    expect(bytes).toBeLessThan(64 * MIB);
    const increments = await zfs.estimateSend({ snapshot: "from/data@s2", base: "from/data@s1" });
    if (openzfs()) expect(increments).toBeGreaterThan(0);
    else expect(increments).toBeUndefined();
    expect(await zfs.resumeToken("to/data")).toBeUndefined();
  });
});

describe("a destination", () => {
  it("that exists is not overwritten", async () => {
    await zfs.ensureDataset("to/other", { properties: { mountpoint: "/mnt/other" } });
    await writeFile("/mnt/other/precious", "x");
    await expect(transfer(full(), { dataset: "to/other" })).rejects.toEqual(code("destination_exists"));
    await expect(transfer(increment(), { dataset: "to/other" })).rejects.toEqual(code("base_missing"));
    await expect(transfer(increment(), { dataset: "to/nothing" })).rejects.toEqual(code("base_missing"));
    expect(await readdir("/mnt/other")).toEqual(["precious"]);
    await zfs.destroyDataset("to/other", { recursive: true });
  });

  it("that was written to is refused, and rolled back only when asked", async () => {
    await transfer(full(), { dataset: "to/written", properties: { mountpoint: "/mnt/written" } });
    await zfs.mount("to/written");
    await writeFile("/mnt/written/mine", "x");
    await expect(transfer(increment(), { dataset: "to/written" })).rejects.toEqual(
      code("destination_modified"),
    );
    expect(await readFile("/mnt/written/mine", "utf8")).toBe("x");
    await zfs.unmount("to/written");
    await transfer(increment(), { dataset: "to/written", force: "rollback-to-base" });
    await zfs.mount("to/written");
    expect((await readdir("/mnt/written")).sort()).toEqual(["big", "row"]);
  });

  it("with a newer snapshot of its own is refused, also by force, and keeps it", async () => {
    await zfs.rollback("to/written@s1", { destroyNewer: true });
    await writeFile("/mnt/written/mine", "x");
    await zfs.ensureSnapshot("to/written@mine");
    const refusal = { code: "destination_modified", details: { snapshots: ["to/written@mine"] } };
    await expect(transfer(increment(), { dataset: "to/written" })).rejects.toMatchObject(refusal);
    await expect(
      transfer(increment(), { dataset: "to/written", force: "rollback-to-base" }),
    ).rejects.toMatchObject(refusal);
    expect(await names("to/written")).toEqual(["s1", "mine"]);
    await zfs.destroyDataset("to/written", { recursive: true });
  });

  it("without room says whether the pool or a quota is the reason, and nothing stays behind", async () => {
    await expect(transfer(full(), { dataset: "small/data" })).rejects.toEqual(code("no_space"));
    await zfs.ensureDataset("to/limited", { properties: { quotaBytes: 10 * MIB } });
    await expect(transfer(full(), { dataset: "to/limited/data" })).rejects.toEqual(code("quota_exceeded"));
    expect(await zfs.findDataset("small/data")).toBeUndefined();
    expect(await zfs.findDataset("to/limited/data")).toBeUndefined();
    await zfs.destroyDataset("to/limited");
    await expect(transfer(full(), { dataset: "to/no/parent" })).rejects.toEqual(code("parent_missing"));
  });
});

describe("a stream", () => {
  it("of another snapshot than expected is refused before anything is made", async () => {
    const expected = { snapshot: "s1", guid: "7" };
    await expect(transfer(full(), { dataset: "to/wrong", expect: expected })).rejects.toEqual(
      code("guid_mismatch"),
    );
    expect(await zfs.findDataset("to/wrong")).toBeUndefined();
  });

  it("that is cut off, damaged or something else leaves nothing behind", async () => {
    const { stream, done } = zfs.send(full());
    const bytes = await buffer(stream);
    await done;
    const damaged = Buffer.from(bytes);
    damaged.write("damage", 30 * MIB);
    const cases: readonly [string, Buffer][] = [
      ["receive_interrupted", Buffer.alloc(0)],
      ["receive_interrupted", bytes.subarray(0, 100)],
      ["receive_interrupted", bytes.subarray(0, 40 * MIB)],
      ["stream_invalid", damaged],
      ["stream_invalid", randomBytes(MIB)],
    ];
    for (const [expected, content] of cases) {
      await expect(
        zfs.receive({ dataset: "to/cut", stream: Readable.from([content], { objectMode: false }) }),
      ).rejects.toEqual(code(expected));
      expect(await zfs.findDataset("to/cut")).toBeUndefined();
    }
    const broken = new PassThrough();
    broken.write(bytes.subarray(0, 20 * MIB), () => broken.destroy(new Error("connection lost")));
    await expect(zfs.receive({ dataset: "to/cut", stream: broken })).rejects.toMatchObject({
      code: "receive_interrupted",
      cause: expect.objectContaining({ message: "connection lost" }),
    });
    expect(await zfs.findDataset("to/cut")).toBeUndefined();
  });

  it("that breaks off in an increment leaves the destination as it was, and the next try brings it", async () => {
    await writeFile("/mnt/from/more", randomBytes(8 * MIB));
    await zfs.ensureSnapshot("from/data@s4");
    const next = { snapshot: "from/data@s4", base: "from/data@s2" };
    const { stream, done } = zfs.send(next);
    const bytes = await buffer(stream);
    await done;
    await expect(
      zfs.receive({ dataset: "to/data", stream: Readable.from([bytes.subarray(0, 5 * MIB)]) }),
    ).rejects.toEqual(code("receive_interrupted"));
    expect(await names("to/data")).toEqual(["s1", "s2"]);
    expect(await transfer(next, { dataset: "to/data" })).toMatchObject({ outcome: "received" });
  });

  it("without its snapshot or base names which is missing", async () => {
    for (const [options, expected] of [
      [{ snapshot: "from/data@none" }, "dataset_missing"],
      [{ snapshot: "from/data@s2", base: "from/data@none" }, "base_missing"],
      [{ snapshot: "from/data@s1", base: "from/data@s2" }, "base_missing"],
    ] as const) {
      const { stream, done } = zfs.send(options);
      await expect(buffer(stream)).rejects.toEqual(code(expected));
      await expect(done).rejects.toEqual(code(expected));
    }
    if (openzfs()) return;
    expect(() => zfs.send({ snapshot: "from/data@s2", base: "from/data#b" })).toThrow(
      code("feature_missing"),
    );
    expect(() => zfs.send({ snapshot: "from/data@s2", resumeToken: "1-a-b-c" })).toThrow(
      code("feature_missing"),
    );
  });
});

describe("a transfer under way", () => {
  it("keeps its destination from being destroyed or renamed, and continues", async () => {
    await transfer(full(), { dataset: "to/busy" });
    const bytes = await buffer(zfs.send({ snapshot: "from/data@s4", base: "from/data@s1" }).stream);
    const stream = new PassThrough();
    stream.write(bytes.subarray(0, 4 * MIB));
    const begun = new Promise<void>((resolve) => stream.once("drain", resolve));
    const receiving = zfs.receive({ dataset: "to/busy", stream });
    await begun; // zfs took the first part
    if (!openzfs()) await expect(zfs.rename("to/busy", "to/moved")).rejects.toEqual(code("dataset_busy"));
    await expect(zfs.destroyDataset("to/busy", { recursive: true })).rejects.toEqual(code("dataset_busy"));
    stream.end(bytes.subarray(4 * MIB));
    expect(await receiving).toMatchObject({ snapshot: { name: "to/busy@s4" } });
    await zfs.destroyDataset("to/busy", { recursive: true });
  });
});

describe("a cancelled transfer", () => {
  it("ends on both ends, whichever was cancelled, and can be run again", async () => {
    for (const end of ["send", "receive"] as const) {
      const abort = new AbortController();
      const { stream, done } = zfs.send(full(end === "send" ? { signal: abort.signal } : {}));
      const receiving = zfs.receive({
        dataset: "to/cancelled",
        stream,
        onProgress: (bytes) => {
          if (bytes > 10 * MIB) abort.abort();
        },
        ...(end === "receive" && { signal: abort.signal }),
      });
      await expect(receiving).rejects.toEqual(code("receive_interrupted"));
      await expect(done).rejects.toEqual(code(`${end}_interrupted`));
      expect(await zfs.findDataset("to/cancelled")).toBeUndefined();
    }
    expect(await transfer(full(), { dataset: "to/cancelled" })).toMatchObject({ outcome: "received" });
    await zfs.destroyDataset("to/cancelled", { recursive: true });
  });

  it("before it began does nothing", async () => {
    const signal = AbortSignal.abort();
    const { stream, done } = zfs.send(full({ signal }));
    await expect(zfs.receive({ dataset: "to/never", stream, signal })).rejects.toEqual(
      code("receive_interrupted"),
    );
    await expect(done).rejects.toEqual(code("send_interrupted"));
    expect(await zfs.findDataset("to/never")).toBeUndefined();
  });

  it("whose receiver is killed leaves nothing behind, and the snapshot is free again", async () => {
    const { stream, done } = zfs.send(full());
    let killed = false;
    const receiving = zfs.receive({
      dataset: "to/killed",
      stream,
      onProgress: (bytes) => {
        if (killed || bytes < 10 * MIB) return;
        killed = true;
        void killReceive("to/killed");
      },
    });
    await expect(receiving).rejects.toEqual(code("receive_interrupted"));
    await expect(done).rejects.toEqual(code("receive_interrupted"));
    expect(await zfs.findDataset("to/killed")).toBeUndefined();
    expect(await transfer(full(), { dataset: "to/killed" })).toMatchObject({ outcome: "received" });
    await zfs.destroyDataset("to/killed", { recursive: true });
    expect(await zfs.destroyDataset("from/data@s3")).toBe("destroyed");
  });
});

it("the README's copy is made once, and holds nothing afterwards", async () => {
  expect(await copyVolume(zfs, "from/data", "to/copy")).toMatchObject({ outcome: "received" });
  expect(await copyVolume(zfs, "from/data", "to/copy")).toEqual({ outcome: "unchanged", bytes: 0 });
  expect(await zfs.listHolds("from/data@copy")).toEqual({ tags: [], unnamed: 0 });
});
