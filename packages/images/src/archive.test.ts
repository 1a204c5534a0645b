import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { errorBody } from "@ployz/errors";
import { pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readArchive } from "./archive.ts";
import { openImageStore } from "./store/store.ts";
import { digestOf, testImage } from "./testing.ts";

const platform = { os: "linux", architecture: "amd64" };
let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-archive-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

type Files = Readonly<Record<string, string | Buffer | { readonly link: string }>>;
function tar(files: Files): Readable {
  const packed = pack();
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === "object" && "link" in content)
      packed.entry({ name, type: "symlink", linkname: content.link });
    else packed.entry({ name }, content);
  }
  packed.finalize();
  return Readable.from(packed, { objectMode: false });
}

/** As `docker save` of Engine 20.10 writes it. */
function saved(
  layers: readonly Buffer[],
  tags: readonly string[] | null = ["web:v4"],
  more: Files = {},
): Files {
  const { config } = testImage(layers);
  const paths = layers.map((_, index) => `l${index}/layer.tar`);
  return {
    ...Object.fromEntries(layers.map((layer, index) => [paths[index] ?? "", layer])),
    "l0/VERSION": "1.0",
    "c.json": config,
    ...more,
    "manifest.json": JSON.stringify([{ Config: "c.json", RepoTags: tags, Layers: paths }]),
  };
}
const read = async (files: Files, name?: string) => {
  const store = openImageStore(dir);
  return { store, image: await readArchive(store, tar(files), { name, platform }) };
};
const code = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => errorBody(error).code,
  );
const blobs = async () => (await readdir(join(dir, "blobs", "sha256"))).length;

describe("an archive of docker save", () => {
  const base = Buffer.alloc(100_000, "base");

  it("becomes an image with the same digest each time, of compressed layers that share", async () => {
    const { store, image } = await read(saved([base, Buffer.from("v1")]));
    expect(image.name).toBe("docker.io/library/web:v4");
    const manifest = await store.manifest(image.digest);
    const layer = manifest?.layers[0];
    expect(gunzipSync(await store.bytes(layer?.digest ?? "")).equals(base)).toBe(true);
    expect(layer?.size).toBeLessThan(10_000);
    expect(await blobs()).toBe(4); // manifest, configuration, two layers
    await store.name(image.digest, image.name, "2026-01-01T00:00:00Z");
    expect((await read(saved([base, Buffer.from("v1")]))).image.digest).toBe(image.digest);
    expect(await blobs()).toBe(4);
    const next = await read(saved([base, Buffer.from("v2")]));
    expect((await store.manifest(next.image.digest))?.layers[0]).toEqual(layer);
    expect(await blobs()).toBe(7);
  });

  it("may name a layer that it holds twice by a link", async () => {
    const files = { ...saved([base, base]), "l1/layer.tar": { link: "../l0/layer.tar" } };
    const { store, image } = await read(files);
    expect(await store.missing((await store.manifest(image.digest)) ?? ({} as never))).toEqual([]);
  });

  it("that is cut, changed, without manifest or no tar is refused and leaves nothing", async () => {
    const files = saved([base]);
    const { "manifest.json": _gone, ...without } = files;
    expect(await code(read(without))).toBe("image_invalid");
    expect(await code(read({ ...files, "l0/layer.tar": Buffer.from("other") }))).toBe("image_invalid");
    expect(await code(read({ ...files, "manifest.json": "{" }))).toBe("image_invalid");
    const store = openImageStore(dir);
    const noTar = Readable.from([Buffer.alloc(4096, "x")]);
    expect(await code(readArchive(store, noTar, { platform }))).toBe("image_invalid");
    expect(await blobs()).toBe(0);
    expect(await readdir(join(dir, "ingest"))).toEqual([]);
  });

  it("never writes outside the store, whatever its names are", async () => {
    const { image } = await read(saved([base], null, { "../../escape": "x", "/etc/escape": "y" }));
    expect(image.name).toBeUndefined();
    expect((await readdir(join(dir, ".."))).filter((name) => name === "escape")).toEqual([]);
  });
});

it.each([["l0/layer.tar"], ["blobs/sha256/x"]])(
  "a connection that breaks in %s leaves nothing, and the store usable",
  { timeout: 20_000 },
  async (name) => {
    const store = openImageStore(dir);
    const results: Promise<unknown>[] = [];
    const server = createServer(
      (upload) => void results.push(code(readArchive(store, upload, { platform }))),
    );
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const upload = request({ port, host: "127.0.0.1", method: "PUT" }).on("error", () => {});
    const packed = pack().on("error", () => {});
    packed.pipe(upload);
    packed.entry({ name: "first.tar" }, Buffer.alloc(200_000, "whole"));
    packed
      .entry({ name, size: 50_000_000 })
      .on("error", () => {})
      .write(randomBytes(3_000_000));
    const ingest = () => readdir(join(dir, "ingest")).catch(() => []);
    await expect.poll(async () => (await blobs().catch(() => 0)) + (await ingest()).length).toBe(2);
    upload.destroy();
    await expect.poll(() => results.length).toBe(1);
    expect(await results[0]).not.toBe("done");
    expect([await blobs(), await ingest()]).toEqual([0, []]);
    server.close();
    expect((await read(saved([Buffer.from("v1")]))).image.digest).toMatch(/^sha256:/);
  },
);

it("an archive of an OCI layout keeps its manifest's digest", async () => {
  const oci = testImage([Buffer.from("layer")]);
  const files: Files = {
    "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
    ...Object.fromEntries(
      [...oci.blobs].map(([digest, bytes]) => [`blobs/sha256/${digest.slice(7)}`, bytes]),
    ),
    [`blobs/sha256/${oci.digest.slice(7)}`]: oci.manifest,
    "index.json": JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest: oci.digest,
          size: oci.manifest.length,
        },
      ],
    }),
  };
  expect((await read(files)).image).toEqual({ digest: oci.digest, size: oci.config.length + 5 });
  const named = (annotations: Record<string, string>) => ({
    ...files,
    "index.json": JSON.stringify({
      ...{ schemaVersion: 2 },
      manifests: [{ digest: oci.digest, size: oci.manifest.length, annotations }],
    }),
  });
  const whole = { "io.containerd.image.name": "docker.io/shop/web:v4" };
  const bare = { "org.opencontainers.image.ref.name": "v4" };
  expect((await read(named({ ...whole, ...bare }))).image.name).toBe("docker.io/shop/web:v4");
  expect((await read(named(bare))).image.name).toBeUndefined();
  const [layer = ""] = [...oci.blobs.keys()].slice(1);
  const { [`blobs/sha256/${layer.slice(7)}`]: _gone, ...cut } = files;
  await rm(dir, { recursive: true });
  expect(await code(read(cut))).toBe("image_invalid");
  expect(digestOf(oci.manifest)).toBe(oci.digest);
});

it("an archive without the manifest of an image here is that image", async () => {
  const layer = Buffer.from("layer");
  const { manifest, blobs: content } = testImage([layer]);
  const store = openImageStore(dir);
  for (const bytes of content.values()) await store.blobs.add(Readable.from([bytes]));
  const noted = { ...JSON.parse(manifest.toString()), annotations: { "a.builder": "made it" } };
  const { digest } = await store.blobs.add(Readable.from([Buffer.from(JSON.stringify(noted))]));
  await store.name(digest, "docker.io/shop/web:v4", "2026-01-01T00:00:00Z");
  expect((await read(saved([layer]))).image.digest).toBe(digest);
});
