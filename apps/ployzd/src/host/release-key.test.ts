import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bringReleaseKey, isSigned, openReleases, takeReleaseKey } from "./release-key.ts";

const RELEASE_KEY = /^[A-Za-z0-9+/]{59}=$/;

const pair = () =>
  generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });

it("takes what the key signed, and nothing else", () => {
  const [release, other] = [pair(), pair()];
  const sums = Buffer.from("0123  ./bin/ployzd\n");
  const signature = sign(null, sums, createPrivateKey(release.privateKey));
  expect(isSigned(sums, signature, release.publicKey)).toBe(true);
  expect(isSigned(sums, signature, other.publicKey)).toBe(false);
  expect(isSigned(Buffer.from("0124  ./bin/ployzd\n"), signature, release.publicKey)).toBe(false);
  expect(isSigned(sums, undefined, release.publicKey)).toBe(false);
  expect(isSigned(sums, Buffer.alloc(0), release.publicKey)).toBe(false);
});

it("refuses a key that can sign nothing here, instead of letting every build pass", () => {
  const rsa = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  for (const key of ["", "no key", rsa.publicKey])
    expect(() => isSigned(Buffer.from("x"), Buffer.from("y"), key)).toThrow("Ed25519");
});

describe("a key that a join brings", () => {
  const temporary = async () => join(await mkdtemp(join(tmpdir(), "ployz-key-")), "release.pub");

  it("is one that openssl and install.sh read, and goes again when the machine leaves", async () => {
    const path = await temporary();
    const { publicKey } = pair();
    const releases = openReleases(path, { dir: "/nonexistent" });
    expect(await releases.key()).toBe(undefined);
    await writeFile(path, publicKey);
    const key = (await releases.key()) ?? "";
    expect(key).toMatch(RELEASE_KEY);
    await rm(path);
    await bringReleaseKey(path, key);
    expect(await readFile(path, "utf8")).toBe(publicKey);
    await takeReleaseKey(path, key);
    await expect(readFile(path)).rejects.toThrow("ENOENT");
    await takeReleaseKey(path, key);
  });

  it("replaces none that is there, and takes none away", async () => {
    const path = await temporary();
    const [own, other] = [pair().publicKey, pair().publicKey];
    await writeFile(path, own);
    const key = other.split("\n")[1] ?? "";
    await bringReleaseKey(path, key);
    await takeReleaseKey(path, key);
    expect(await readFile(path, "utf8")).toBe(own);
  });
});

it("tells whether a key signed the build in a folder, whatever the key is", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-build-"));
  const [release, other] = [pair(), pair()];
  const body = (pem: string) => pem.split("\n")[1] ?? "";
  const { signedBy } = openReleases("/nonexistent", { dir });
  expect(await signedBy(body(release.publicKey))).toBe(false);
  await writeFile(join(dir, "SHA256SUMS"), "x");
  expect(await signedBy(body(release.publicKey))).toBe(false);
  await writeFile(
    join(dir, "SHA256SUMS.sig"),
    sign(null, Buffer.from("x"), createPrivateKey(release.privateKey)),
  );
  expect(await signedBy(body(release.publicKey))).toBe(true);
  for (const key of [body(other.publicKey), "no key", ""]) expect(await signedBy(key)).toBe(false);
});
