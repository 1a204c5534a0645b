import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { completeImage, takeManifest } from "../pull.ts";
import { digestOf, testImage } from "../testing.ts";
import { type ImageStore, openImageStore } from "./store.ts";

const base = Buffer.from("base");
const [v1, v2] = [testImage([base, Buffer.from("one")]), testImage([base, Buffer.from("two")])];
const { signal } = new AbortController();
const later = () => Date.now() + 60_000;
let dir = "";
let store: ImageStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-images-"));
  store = openImageStore(dir);
  for (const image of [v1, v2]) {
    await takeManifest(store, image.digest, async () => image.manifest, signal);
    const open = async ({ digest }: { readonly digest: string }) =>
      Readable.from([image.blobs.get(digest) ?? Buffer.alloc(0)]);
    await completeImage(store, image.digest, () => [{ name: "m1", open }], {
      ...{ platform: { os: "linux", architecture: "amd64" }, signal },
    });
    await store.name(image.digest, "docker.io/library/web:v1", new Date(Date.now()).toISOString());
  }
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const has = async (digest: string) => (await store.blobs.sizeOf(digest)) !== undefined;

it("collecting removes what only a removed image needs, and keeps the layers of others", async () => {
  const alone = await store.unneeded(0, new Set([v1.digest]));
  expect(alone.map(({ digest }) => digest).sort()).toEqual(
    [v1.digest, digestOf(v1.config), digestOf(Buffer.from("one"))].sort(),
  );
  expect(await store.collect(later())).toEqual({ freedBytes: 0, deferred: false });
  await store.unname(v1.digest);
  const { freedBytes } = await store.collect(later());
  expect(freedBytes).toBe(alone.reduce((sum, { size }) => sum + size, 0));
  expect([await has(v1.digest), await has(digestOf(base)), await has(v2.digest)]).toEqual([
    false,
    true,
    true,
  ]);
  expect(await store.missing((await store.manifest(v2.digest)) ?? expect.fail())).toEqual([]);
});

it("what arrived after the time stays, so that an interrupted transfer continues; a removed image goes", async () => {
  const lone = await store.blobs.add(Readable.from([Buffer.from("of no image")]));
  await store.unname(v1.digest);
  await store.collect(Date.now() - 60_000);
  expect([await has(v1.digest), await has(lone.digest)]).toEqual([false, true]);
  const other = "f".repeat(64);
  await writeFile(join(dir, "ingest", other), "part");
  await store.collect(Date.now() - 60_000);
  expect(await store.blobs.started(`sha256:${other}`)).toBe(4);
  await store.collect(later());
  expect(await store.blobs.started(`sha256:${other}`)).toBe(0);
});

it("a leftover part of a blob that an image needs goes without the blob", async () => {
  await writeFile(join(dir, "ingest", digestOf(base).slice(7)), "ba");
  await store.collect(later());
  expect([await has(digestOf(base)), await store.blobs.started(digestOf(base))]).toEqual([true, 0]);
});

it("nothing is collected beside a transfer; it happens when the last one has ended", async () => {
  await store.unname(v1.digest);
  let end = () => {};
  const gate = new Promise<void>((resolve) => {
    end = resolve;
  });
  const transfer = store.use(() => gate);
  expect(await store.collect(later())).toEqual({ freedBytes: 0, deferred: true });
  expect(await has(v1.digest)).toBe(true);
  end();
  await transfer;
  // The next transfer waits for the collecting that the end of the last one has begun.
  expect(await store.use(() => has(v1.digest))).toBe(false);
});

it("an image whose name another one got remembers it", async () => {
  expect(await store.entries()).toMatchObject([
    { digest: v1.digest, former: "docker.io/library/web:v1" },
    { digest: v2.digest, name: "docker.io/library/web:v1" },
  ]);
});

it("an unfinished addition of a killed process goes at the start", async () => {
  await writeFile(join(dir, "ingest", "new-1-1"), "x");
  await store.blobs.tidy();
  expect(await readdir(join(dir, "ingest"))).toEqual([]);
});
