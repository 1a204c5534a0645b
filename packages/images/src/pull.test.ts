import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { errorBody } from "@ployz/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BlobSource, completeImage, takeManifest } from "./pull.ts";
import { registryHandler } from "./serve.ts";
import { openImageStore } from "./store/store.ts";
import { digestOf, listening, testImage } from "./testing.ts";

const platform = { os: "linux", architecture: "amd64" };
const large = Buffer.alloc(300_000, "x");
const image = testImage([Buffer.from("base"), large]);
const { signal } = new AbortController();
let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-images-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const whole = (name = "m1"): BlobSource & { readonly asked: string[] } => {
  const asked: string[] = [];
  return {
    ...{ name, asked },
    async open({ digest }, offset) {
      asked.push(`${digest.slice(7, 11)}+${offset}`);
      const bytes = image.blobs.get(digest);
      return bytes && Readable.from([bytes.subarray(offset)]);
    },
  };
};
const breaking = (after: number): BlobSource => ({
  name: "breaks",
  async open({ digest }, offset) {
    const bytes = image.blobs.get(digest)?.subarray(offset) ?? Buffer.alloc(0);
    if (bytes.length <= after) return Readable.from([bytes]);
    return Readable.from(
      (function* () {
        yield bytes.subarray(0, after);
        throw new Error("connection reset");
      })(),
    );
  },
});

async function opened(sources: readonly BlobSource[], onProgress?: (done: number, total: number) => void) {
  const store = openImageStore(dir);
  await takeManifest(store, image.digest, async () => image.manifest, signal);
  const bytes = await completeImage(store, image.digest, () => sources, {
    ...{ platform, signal },
    ...(onProgress && { onProgress }),
  });
  return { store, bytes };
}
const code = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => errorBody(error).code,
  );

describe("an image", () => {
  it("is complete once every blob is here, each verified, and costs only the missing bytes", async () => {
    const seen: [number, number][] = [];
    const source = whole();
    const { store, bytes } = await opened([source], (done, total) => seen.push([done, total]));
    const size = [...image.blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
    expect(bytes).toBe(size);
    expect(seen[0]).toEqual([0, size]);
    expect(seen.at(-1)).toEqual([size, size]);
    expect(await readdir(join(dir, "ingest"))).toEqual([]);
    await store.name(image.digest, "docker.io/library/web:v4", "2026-01-01T00:00:00Z");
    expect(await store.find("docker.io/library/web:v4")).toMatchObject({ digest: image.digest });
    expect(await store.find(digestOf(image.config))).toMatchObject({ digest: image.digest });
    expect((await opened([source])).bytes).toBe(0);
  });

  it("continues at the same byte from another source when one breaks", async () => {
    const second = whole("m2");
    const { bytes } = await opened([breaking(100_000), second]);
    expect(bytes).toBe([...image.blobs.values()].reduce((sum, blob) => sum + blob.length, 0));
    expect(second.asked).toContain(`${digestOf(large).slice(7, 11)}+100000`);
  });

  it("continues what an earlier process left", async () => {
    const store = openImageStore(dir);
    await takeManifest(store, image.digest, async () => image.manifest, signal);
    await writeFile(join(dir, "ingest", digestOf(large).slice(7)), large.subarray(0, 250_000));
    const source = whole();
    const bytes = await completeImage(store, image.digest, () => [source], { platform, signal });
    expect(bytes).toBeLessThan(60_000);
    expect(source.asked).toContain(`${digestOf(large).slice(7, 11)}+250000`);
  });

  it("that was changed on its way is refused, and nothing of it keeps its name", async () => {
    const wrong: BlobSource = {
      name: "bad",
      open: async ({ size }) => Readable.from([Buffer.alloc(size, "y")]),
    };
    expect(await code(opened([wrong]))).toBe("image_blob_corrupt");
    expect(await readdir(join(dir, "blobs", "sha256"))).toEqual([image.digest.slice(7)]);
  });

  it("that is given up while its file is opened fails with the reason, and with nothing else", async () => {
    const store = openImageStore(dir);
    const stop = new AbortController();
    const fetched = store.blobs.ensure(
      { digest: digestOf(large), size: large.length },
      async () => {
        setImmediate(() => stop.abort(new Error("enough")));
        return Readable.from([large]);
      },
      { signal: stop.signal },
    );
    await expect(fetched).rejects.toThrow("enough");
  });

  it("that one source damages comes from the next one, and from the only one again", async () => {
    const bad = (times: number): BlobSource => {
      let left = times;
      const right = whole();
      return {
        name: "bad",
        open: async (blob, offset, either) =>
          left-- > 0
            ? Readable.from([Buffer.alloc(blob.size - offset, "y")])
            : right.open(blob, offset, either),
      };
    };
    expect(await code(opened([bad(Number.POSITIVE_INFINITY), whole()]))).toBe("done");
    await rm(dir, { recursive: true });
    expect(await code(opened([bad(2)]))).toBe("done");
  });

  it("is read by others while it arrives, up to its last byte, and breaks off when it fails", async () => {
    const store = openImageStore(dir);
    await takeManifest(store, image.digest, async () => image.manifest, signal);
    const { growing } = store.blobs;
    expect(await growing.coming(digestOf(large), 5, signal)).toBeUndefined();
    const coming = growing.coming(digestOf(large), 10_000, signal);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: BlobSource = {
      name: "slow",
      async open({ digest }) {
        const bytes = image.blobs.get(digest) ?? Buffer.alloc(0);
        return Readable.from(
          (async function* () {
            yield bytes.subarray(0, bytes.length / 2);
            if (digest === digestOf(large)) await held;
            yield bytes.subarray(bytes.length / 2);
          })(),
        );
      },
    };
    const done = completeImage(store, image.digest, () => [slow], { platform, signal });
    expect(await coming).toBe(large.length);
    const seen: Buffer[] = [];
    for await (const chunk of growing.read(digestOf(large), 10, large.length) as AsyncIterable<Buffer>) {
      seen.push(chunk);
      release(); // only what came before the end can have released the rest
    }
    expect(Buffer.concat(seen).equals(large.subarray(10))).toBe(true);
    await done;
    await rm(dir, { recursive: true });
    const other = openImageStore(dir);
    await takeManifest(other, image.digest, async () => image.manifest, signal);
    const half: BlobSource = {
      name: "half",
      async open(blob, offset, either) {
        if (offset > 0) throw new Error("gone");
        return (await breaking(100_000).open(blob, offset, either)) as Readable;
      },
    };
    const failing = completeImage(other, image.digest, () => [half], { platform, signal });
    failing.catch(() => {});
    const size = (await other.blobs.growing.coming(digestOf(large), 10_000, signal)) ?? 0;
    const broken = other.blobs.growing.read(digestOf(large), 0, size).toArray();
    await expect(broken).rejects.toThrow("has failed");
    await expect(failing).rejects.toThrow("gone");
  });

  it("that no source has is missing; the last source's reason counts", async () => {
    expect(await code(opened([]))).toBe("image_missing");
    const gone: BlobSource = { name: "gone", open: async () => Promise.reject(new Error("no route")) };
    await expect(opened([gone])).rejects.toThrow("no route");
  });

  it("of another platform is refused, naming both", async () => {
    const store = openImageStore(dir);
    await takeManifest(store, image.digest, async () => image.manifest, signal);
    const arm = { os: "linux", architecture: "arm64" };
    await expect(
      completeImage(store, image.digest, () => [whole()], { platform: arm, signal }),
    ).rejects.toThrow(/linux\/amd64, and this machine is linux\/arm64/);
  });

  it("keeps its digest when its name goes to another one", async () => {
    const { store } = await opened([whole()]);
    const next = testImage([Buffer.from("v5")]);
    await takeManifest(store, next.digest, async () => next.manifest, signal);
    await store.name(image.digest, "docker.io/library/web:v4", "2026-01-01T00:00:00Z");
    await store.name(next.digest, "docker.io/library/web:v4", "2026-01-02T00:00:00Z");
    expect((await store.find("docker.io/library/web:v4"))?.digest).toBe(next.digest);
    expect((await store.find(image.digest))?.name).toBeUndefined();
    await store.unname(next.digest);
    expect((await store.entries()).map(({ digest }) => digest)).toEqual([image.digest]);
  });
});

it("the read-only registry serves manifests and blobs by digest, and nothing else", async () => {
  const { store } = await opened([whole()]);
  const server = await listening(registryHandler(store, () => {}));
  const get = (path: string, init?: RequestInit) => fetch(`http://${server.host}${path}`, init);
  const manifest = await get(`/v2/any/name/manifests/${image.digest}`);
  expect(manifest.headers.get("content-type")).toBe("application/vnd.oci.image.manifest.v1+json");
  expect(digestOf(Buffer.from(await manifest.arrayBuffer()))).toBe(image.digest);
  const part = await get(`/v2/ployz/blobs/${digestOf(large)}`, { headers: { range: "bytes=299990-" } });
  expect([part.status, (await part.text()).length]).toEqual([206, 10]);
  expect((await get("/v2/")).status).toBe(200);
  expect((await get("/v2/web/manifests/latest")).status).toBe(404);
  expect((await get(`/v2/web/manifests/${digestOf(large)}`)).status).toBe(404);
  expect((await get("/v2/web/blobs/uploads/", { method: "POST" })).status).toBe(405);
  await server.close();
});
