import { expect, test } from "vitest";
import { forPlatform, MEDIA, readManifest } from "./manifest.ts";

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const one = (letter: string, more = {}) => ({ digest: digest(letter), size: 1, mediaType: "x", ...more });

test("a manifest, an index and a configuration are distinguished", () => {
  const manifest = { schemaVersion: 2, config: one("a"), layers: [one("b")] };
  expect(readManifest(bytes(manifest))).toMatchObject({ kind: "manifest", mediaType: MEDIA.manifest });
  expect(readManifest(bytes({ schemaVersion: 2, manifests: [one("a")] }))?.kind).toBe("index");
  expect(readManifest(bytes({ architecture: "amd64", os: "linux", rootfs: {} }))).toBeUndefined();
  expect(readManifest(Buffer.from([0xff, 0xfe]))).toBeUndefined();
});

test("schema 1, foreign layers and malformed descriptors are refused", () => {
  expect(() => readManifest(bytes({ schemaVersion: 1 }))).toThrow(/schema 1/);
  const layer = one("b", { mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" });
  expect(() => readManifest(bytes({ schemaVersion: 2, config: one("a"), layers: [layer] }))).toThrow(
    /not distributed/,
  );
  for (const config of [{ digest: "sha256:../../etc", size: 1 }, { digest: digest("a"), size: -1 }, 7, null])
    expect(() => readManifest(bytes({ schemaVersion: 2, config, layers: [] }))?.kind).not.toThrow(TypeError);
});

test("an index without the machine's platform is refused, naming both", () => {
  const index = readManifest(
    bytes({
      schemaVersion: 2,
      manifests: [
        one("a", { platform: { os: "linux", architecture: "arm64" } }),
        one("b", { platform: { os: "unknown", architecture: "unknown" } }), // an attestation
      ],
    }),
  );
  if (index?.kind !== "index") throw new Error("no index");
  expect(forPlatform(index, { os: "linux", architecture: "arm64" }, "web").digest).toBe(digest("a"));
  expect(() => forPlatform(index, { os: "linux", architecture: "amd64" }, "web:v4")).toThrow(
    "web:v4 has no variant for linux/amd64, only for linux/arm64",
  );
});
