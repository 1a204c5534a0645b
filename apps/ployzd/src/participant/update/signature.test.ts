import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { expect, it } from "vitest";
import { isSigned } from "./signature.ts";

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
